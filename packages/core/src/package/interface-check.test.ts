import { expect, test } from 'vitest';
import { checkInterface } from './interface-check.ts';

const GOOD: Readonly<Record<string, string>> = {
  'a function': 'def load_model():\n    return 1\n',
  'typed, decorated, with defaults':
    '@cache\ndef load_model(path: str = "x", *, deep: dict[str, int] = {}, **rest) -> Model:\n  return 1',
  'after strings that lie':
    "\"\"\"\ndef nothing(:\n\"\"\"\nx = 'def load_model(' # (((\ny = r\"\\\\\"\nz = rb'''it's'''\ndef load_model(): return 1",
  'an assignment': 'def make(): ...\nload_model = make',
  'an annotated assignment': 'load_model: Callable[[], Model] = lambda: Model()',
  'an import': 'from churn.model import (\n    Model,\n    load_model,\n)',
  'an import under another name': 'from churn import make as load_model',
  'in try and except':
    'try:\n    from fast import load_model\nexcept ImportError:\n    def load_model():\n        return 1\n',
  'in an if': 'if True:\n\tdef load_model():\n\t\treturn 1\n',
  'on one line with if': 'if x: load_model = a',
  'after a continuation': 'x = 1 + \\\n    2\ndef \\\n  load_model():\n    pass',
  'a class': 'class load_model:\n    def predict(self, rows): ...',
  'with windows line ends and a byte order mark': '\uFEFFimport x\r\n\r\ndef load_model():\r\n    return x\r\n',
  'among f-strings that nest':
    'x = f"{d["("]!r:>{w}} {{ {\'}\'}"\ny = f"""{\n  a:%H:%M\'}"""\ndef load_model(): return x',
  'after semicolons': 'import a; load_model = a.make',
  'with non-ASCII names': 'größe = 3\ndef load_model():\n    return größe',
};

test.each(Object.entries(GOOD))('load_model is found: %s', (_, source) => {
  expect(checkInterface(source, 'interface.py')).toEqual([]);
});

test.each([
  ['', 'interface.no-load-model', 1],
  ['def predict(rows): ...\n', 'interface.no-load-model', 1],
  ['# def load_model(): ...\n', 'interface.no-load-model', 1],
  ['x = 1\ndef load_modle(): ...\n', 'interface.no-load-model', 2],
  ['class A:\n  def load_model(self): ...\n', 'interface.no-load-model', 2],
  ['def f():\n    load_model = 1\n', 'interface.no-load-model', 2],
  ['load_model == 3\n', 'interface.no-load-model', 1],
  ['async def load_model(): ...\n', 'interface.async-load-model', 1],
  ['def load_model(path): ...\n', 'interface.load-model-arguments', 1],
  ['x = (1,\n  2\n\ndef load_model(): ...\n', 'interface.syntax', 1],
  ['\n\nx = "open\n', 'interface.syntax', 3],
  ['x = """open\n', 'interface.syntax', 1],
  ['x = (1]\n', 'interface.syntax', 1],
  ['def load_model():\nreturn 1\n', 'interface.syntax', 2],
  ['def load_model():\n    x = 1\n  return x\n', 'interface.syntax', 3],
  ['x = 1\n  y = 2\n', 'interface.syntax', 2],
  ['x = 1 ? 2\n', 'interface.syntax', 1],
  ['x = f"{a\n"\n', 'interface.syntax', 2],
])('%j is refused with its line', (source, rule, line) => {
  expect(checkInterface(source, 'interface.py')).toMatchObject([
    { severity: 'error', rule, line, file: 'interface.py' },
  ]);
});

test('a misspelt load_model is pointed out', () => {
  expect(checkInterface('def load_modle(): ...', 'interface.py')[0]?.fix).toContain('did you mean load_model');
});

test('a star import is only a warning', () => {
  expect(checkInterface('from x import *', 'interface.py')).toMatchObject([
    { severity: 'warning', rule: 'interface.star-import' },
  ]);
});
