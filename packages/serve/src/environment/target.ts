/**
 * A *target* is the machine that an environment is made for, where that is not this one: architecture, C library and minor
 * Python of an image. Only wheels can be installed for it, as nothing of it runs here.
 */

/** What wheels are chosen for; linux. */
export interface EnvironmentTarget {
  /** As images name it: `amd64`, `arm64`. */
  readonly architecture: string;
  /** The C library; without a version the oldest that wheels commonly ask for (2.28, musl 1.2). */
  readonly libc: { readonly name: 'glibc' | 'musl'; readonly version?: string };
  /** `3.11`. */
  readonly python: string;
}

/** Processors as wheels name them, by what images call them. */
const MACHINES: Readonly<Record<string, string>> = {
  amd64: 'x86_64',
  arm64: 'aarch64',
  ppc64le: 'ppc64le',
  s390x: 's390x',
  riscv64: 'riscv64',
};

/** C libraries that installers know by name, the newest first; the first two are what old wheels ask for. */
const GLIBC_MINORS = [40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 28, 17];
const USUAL_GLIBC = '2.28';

/** Processors that uv resolves for. */
const KNOWN_TO_UV = ['x86_64', 'aarch64'];

/** `x86_64` for `amd64`; what is not known stands for itself. */
export function machineOf({ architecture }: EnvironmentTarget): string {
  return MACHINES[architecture] ?? architecture;
}

/** The platform as Python calls it, and as locks are recorded with: `linux-x86_64`; with musl `linux-musl-x86_64`. */
export function platformOfTarget(target: EnvironmentTarget): string {
  return target.libc.name === 'musl' ? `linux-musl-${machineOf(target)}` : `linux-${machineOf(target)}`;
}

/** How it is told to people: `linux-x86_64 with glibc 2.36 and Python 3.11`. */
export function describeTarget(target: EnvironmentTarget): string {
  const { name, version } = target.libc;
  return `linux-${machineOf(target)} with ${name}${version === undefined ? '' : ` ${version}`} and Python ${target.python}`;
}

/** `--python-platform` of uv: `x86_64-manylinux_2_36`; undefined where uv knows no such platform. */
export function uvPlatform(target: EnvironmentTarget): string | undefined {
  const machine = machineOf(target);
  if (!KNOWN_TO_UV.includes(machine)) return undefined;
  if (target.libc.name === 'musl') return `${machine}-unknown-linux-musl`;
  return `${machine}-manylinux_2_${glibcMinors(target)[0] ?? 17}`;
}

/** `--platform` of pip, one a tag, the newest first: pip takes only what is named. */
export function pipPlatforms(target: EnvironmentTarget): readonly string[] {
  const machine = machineOf(target);
  if (target.libc.name === 'musl') return [2, 1].map((minor) => `musllinux_1_${minor}_${machine}`);
  const tags = glibcMinors(target).map((minor) => `manylinux_2_${minor}_${machine}`);
  return [...tags, `manylinux2014_${machine}`, `linux_${machine}`];
}

/** The versions of glibc that wheels may have been built for and run with this one, the newest first. */
function glibcMinors({ libc }: EnvironmentTarget): readonly number[] {
  const minor = Number((libc.version ?? USUAL_GLIBC).split('.')[1] ?? 28);
  return GLIBC_MINORS.filter((known) => known <= minor);
}
