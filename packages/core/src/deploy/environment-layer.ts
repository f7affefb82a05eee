import type { OciOptions } from '../oci/oci-place.ts';
import type { ImageLayer, LayerEntries, LayerEntry } from './image-layer.ts';
import { IMAGE_PLACES } from './image-places.ts';
import { entriesBelow, fileOf } from './layer-entries.ts';

/** Modules for an image, and how they are had. */
export interface EnvironmentFiles {
  /** Whom they are for: `churn:7`. */
  readonly of: string;
  /** The base's interpreter: `/usr/bin/python3.11`. */
  readonly python: string;
  /** `3.11`. */
  readonly version: string;
  /** `linux-x86_64`. */
  readonly platform: string;
  /** Exact versions with hashes, one a distribution. */
  readonly lock: readonly string[];
  /** The Python that compiles the modules, `3.11.7`. Without one they are not compiled. */
  readonly compiler?: { readonly version: string };
  /** What lies beside `bin` as `environment.json`: which packages it was made for. */
  readonly document: string;
  /** Unpacks the modules of the lock into a new directory, which disposing removes; `place` is where they will lie. */
  install(place: string, options?: OciOptions): Promise<{ readonly directory: string } & AsyncDisposable>;
}

/**
 * Makes the layer of an environment: a virtual environment over the base's interpreter with exactly what the lock says.
 * Source of its form: PEP 405.
 */
export function environmentLayer(files: EnvironmentFiles): ImageLayer {
  const { python, version, platform, lock, compiler, document } = files;
  const at = IMAGE_PLACES.environment;
  const place = `/${at}/lib/python${version}/site-packages`;
  return {
    name: 'environment',
    title: `the environment of ${files.of}`,
    inputs: { form: 1, python, version, platform, lock: [...lock], compiler: compiler?.version ?? null, document },
    createdBy: `ingot bake: environment for Python ${version} (${listed(lock)})`,
    async make(options): Promise<LayerEntries> {
      const installed = await files.install(place, options);
      const entries: LayerEntry[] = [
        { kind: 'link', path: `${at}/bin/python`, target: python },
        { kind: 'link', path: `${at}/bin/python3`, target: 'python' },
        { kind: 'link', path: `${at}/bin/python${version}`, target: 'python' },
        fileOf(`${at}/pyvenv.cfg`, pyvenv(python, version)),
        fileOf(`${at}/environment.json`, document),
        ...(await entriesBelow(installed.directory, place.slice(1))),
      ];
      return { entries, [Symbol.asyncDispose]: () => installed[Symbol.asyncDispose]() };
    },
  };
}

function pyvenv(python: string, version: string): string {
  const home = python.slice(0, python.lastIndexOf('/'));
  return `home = ${home}\nimplementation = CPython\nversion = ${version}\ninclude-system-site-packages = false\n`;
}

const MOST_LISTED = 8;

/** `scikit-learn 1.5.2, numpy 2.1.3, … 14 in all`. */
function listed(lock: readonly string[]): string {
  const names = lock.map((line) => (line.split(' ', 1)[0] ?? line).replace('==', ' '));
  return names.length <= MOST_LISTED
    ? names.join(', ')
    : `${names.slice(0, MOST_LISTED).join(', ')}, … ${names.length} in all`;
}
