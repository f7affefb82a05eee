import type { BaseFacts, BaseImage } from '@ingot/core/deploy/base-image';
import { IngotError } from '@ingot/core/errors';
import type { Platform } from '@ingot/core/oci/oci-place';
import { findInterpreter, minorOf } from '@ingot/serve/environment/interpreter';

/** Where the images that Python's maintainers publish have it. */
const USUAL_PYTHON = /(?:^|\/)python:(3\.\d{1,2})(?:[.-][\w.-]*)?(?:@.*)?$/;

/**
 * A base of a Dockerfile that is not looked into: its name tells the Python of the usual images, and `--python` that of
 * others. Wheels are chosen for a C library that is old enough for most.
 */
export function assumedBase(name: string, platform: Platform, python?: string): BaseImage {
  const usual = USUAL_PYTHON.exec(name)?.[1];
  const named = python?.startsWith('/') === true ? /python(3\.\d{1,2})$/.exec(python)?.[1] : undefined;
  const found =
    named !== undefined && python !== undefined
      ? { path: python, version: named }
      : usual === undefined
        ? undefined
        : { path: `/usr/local/bin/python${usual}`, version: usual };
  return withoutLayers(name, platform, {
    libc: { name: /-alpine/.test(name) ? 'musl' : 'glibc' },
    ...(found !== undefined && { python: found }),
  });
}

/**
 * This machine as the base: for steps of a Dockerfile, which run in the image itself.
 * @throws IngotError `environment-failed` where it has no Python.
 */
export async function thisMachine(
  platform: Platform,
  call: { readonly python?: string | undefined; readonly environment: Readonly<Record<string, string | undefined>> },
): Promise<BaseImage> {
  const { path, version } = await findInterpreter({ ...call, preferActive: true });
  const libc = glibcVersion();
  return withoutLayers('this machine', platform, {
    libc: libc === undefined ? { name: 'musl' } : { name: 'glibc', version: libc },
    python: { path, version: minorOf(version) },
  });
}

/** `2.36`; undefined with another C library. */
function glibcVersion(): string | undefined {
  const report: unknown = process.report.getReport();
  const header = typeof report === 'object' && report !== null && 'header' in report ? report.header : undefined;
  if (typeof header !== 'object' || header === null || !('glibcVersionRuntime' in header)) return undefined;
  return typeof header.glibcVersionRuntime === 'string' ? header.glibcVersionRuntime : undefined;
}

function withoutLayers(name: string, platform: Platform, facts: Pick<BaseFacts, 'libc' | 'python'>): BaseImage {
  return {
    name,
    platform,
    layers: [],
    config: { env: [], labels: {} },
    configJson: {},
    facts: async () => ({ hasShell: true, hasCertificates: true, libraries: [], ...facts }),
    readLayer: () => {
      throw new IngotError('unexpected', `${name} has no layers`);
    },
  };
}
