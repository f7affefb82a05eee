/** Import names whose distribution is called otherwise. */
const DISTRIBUTIONS: Readonly<Record<string, string>> = {
  sklearn: 'scikit-learn',
  skimage: 'scikit-image',
  imblearn: 'imbalanced-learn',
  cv2: 'opencv-python-headless',
  PIL: 'pillow',
  yaml: 'pyyaml',
  bs4: 'beautifulsoup4',
  dateutil: 'python-dateutil',
  category_encoders: 'category-encoders',
  sentence_transformers: 'sentence-transformers',
  sktime: 'sktime',
};

/** Modules of the standard library that pickles name. */
const STANDARD: ReadonlySet<string> = new Set(
  (
    '__main__ __builtin__ builtins copyreg copy_reg _codecs codecs collections _collections functools _functools operator _operator ' +
    'datetime _datetime decimal _decimal fractions pathlib re _sre types uuid random _random io _io array itertools enum string ' +
    'typing abc _abc math cmath os posix nt ntpath posixpath pickle _pickle _compat_pickle copy dataclasses threading _thread ' +
    'weakref _weakref numbers ipaddress logging json struct hashlib time calendar zoneinfo inspect importlib ctypes _ctypes ' +
    'argparse warnings sys queue heapq bisect statistics secrets tempfile shutil subprocess socket ssl html xml urllib http'
  ).split(' '),
);

/**
 * The distributions that provide some modules, as `requirements.txt` would name them, without versions. Modules of the
 * standard library and private ones are left out.
 */
export function distributionsOf(modules: Iterable<string>): string[] {
  const names = new Set<string>();
  for (const module of modules) {
    const top = module.split('.', 1)[0] ?? '';
    if (top === '' || STANDARD.has(top) || top.startsWith('_')) continue;
    names.add(DISTRIBUTIONS[top] ?? top.replaceAll('_', '-').toLowerCase());
  }
  return [...names].sort();
}
