import { IngotError } from '../../errors.ts';
import { nearest } from '../../nearest.ts';
import { compareDebianVersions } from './version.ts';
import type { Stanza } from './stanzas.ts';

/** A package as an archive lists it. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** Other names that it stands for. */
  readonly provides: readonly string[];
  /** Each must be met by one of some names. */
  readonly depends: readonly (readonly string[])[];
  /** Address of the archive that has it. */
  readonly archive: string;
  /** Path there. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
  /** The paragraph of the list, for whoever wants to know later what lies in an image. */
  readonly source: string;
}

const SHA256 = /^[0-9a-f]{64}$/;

/** Reads a paragraph of `Packages`; undefined when it is none that can be used. */
export function packageFrom(stanza: Stanza, archive: string): DebianPackage | undefined {
  const of = (key: string): string => stanza.get(key) ?? '';
  const [name, version, path, sha256] = [of('package'), of('version'), of('filename'), of('sha256').toLowerCase()];
  const sizeBytes = Number(of('size'));
  if (
    !/^[a-z0-9][a-z0-9+.-]+$/.test(name) ||
    version === '' ||
    !SHA256.test(sha256) ||
    !Number.isSafeInteger(sizeBytes)
  )
    return undefined;
  if (path === '' || path.startsWith('/') || path.split('/').includes('..')) return undefined;
  return {
    name,
    version,
    architecture: of('architecture'),
    provides: clauses(of('provides')).flat(),
    depends: [...clauses(of('pre-depends')), ...clauses(of('depends'))],
    archive,
    path,
    sizeBytes,
    sha256,
    source: of('source'),
  };
}

/** `a (>= 1) | b, c:any` as names. */
function clauses(text: string): string[][] {
  if (text === '') return [];
  return text.split(',').map((clause) =>
    clause.split('|').map((word) =>
      word
        .replace(/[([<].*$/s, '')
        .replace(/:.*$/s, '')
        .trim(),
    ),
  );
}

/**
 * What belongs to installing packages and to configuring them by questions: nothing runs when a root file system is made
 * of unpacked packages.
 */
const NOT_UNPACKED: ReadonlySet<string> = new Set(
  'apt awk debconf debconf-2.0 cdebconf debianutils dpkg install-info init-system-helpers mawk openssl perl perl-base perl:any sensible-utils ucf update-inetd'.split(
    ' ',
  ),
);

/**
 * Chooses packages with all that they depend on, the newest of each name, sorted by name. The same lists give the same
 * choice.
 * @throws IngotError `not-found` naming a package that no archive has.
 */
export function choosePackages(listed: Iterable<DebianPackage>, wanted: readonly string[]): readonly DebianPackage[] {
  const byName = new Map<string, DebianPackage>();
  const providers = new Map<string, string[]>();
  for (const one of listed) {
    const known = byName.get(one.name);
    if (known === undefined || compareDebianVersions(one.version, known.version) > 0) byName.set(one.name, one);
    for (const name of one.provides) providers.set(name, [...(providers.get(name) ?? []), one.name]);
  }
  const chosen = new Map<string, DebianPackage>();
  const left = [...wanted];
  for (let name = left.pop(); name !== undefined; name = left.pop()) {
    if (chosen.has(name)) continue;
    const found = byName.get(name) ?? byName.get(providers.get(name)?.sort()[0] ?? '');
    if (found === undefined) throw unknown(name, byName.keys());
    if (chosen.has(found.name)) continue;
    chosen.set(found.name, found);
    for (const clause of found.depends) {
      if (clause.some((one) => NOT_UNPACKED.has(one) && !wanted.includes(one))) continue;
      if (clause.some((one) => chosen.has(one) || providers.get(one)?.some((provider) => chosen.has(provider))))
        continue;
      const next = clause.find((one) => byName.has(one)) ?? clause.find((one) => providers.has(one));
      if (next === undefined) throw unknown(clause[0] ?? '', byName.keys());
      left.push(next);
    }
  }
  return [...chosen.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function unknown(name: string, known: Iterable<string>): IngotError {
  const near = nearest(name, [...known]);
  return new IngotError('not-found', `there is no Debian package "${name}"`, {
    operation: 'bake',
    ...(near !== undefined && { nearest: near }),
  });
}
