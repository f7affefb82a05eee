import { IngotError } from '@ingot/core/errors';

const MAX_SEGMENTS = 64;
const MAX_SEGMENT_BYTES = 255;
const MAX_BYTES = 1024;
/** What was encoded more often than this was not encoded by mistake. */
const MAX_LAYERS = 4;

/**
 * A path in the tree of artifacts: names that were checked, one by one. Only this names files to the rest of the server;
 * no part of it ever becomes part of a path of the machine or a key of the store.
 */
export class ArtifactPath {
  /** At least one. */
  readonly segments: readonly string[];
  /** The names with `/` between them. */
  readonly text: string;
  readonly #checked = true;

  private constructor(segments: readonly string[]) {
    this.segments = segments;
    this.text = segments.join('/');
  }

  /**
   * Checks a path that was given as text: in a body, a query, a source. One slash at the end is taken off.
   * @throws IngotError `invalid-request` for anything that a name is not: `..`, an absolute path, control characters, `#`.
   */
  static parse(text: string): ArtifactPath {
    const segments = (text.endsWith('/') && text.length > 1 ? text.slice(0, -1) : text).split('/');
    if (segments.length > MAX_SEGMENTS) throw refused('it has more than 64 parts');
    if (Buffer.byteLength(text) > MAX_BYTES) throw refused(`it is longer than ${MAX_BYTES} bytes`);
    for (const segment of segments) {
      const why = whyRefused(segment);
      if (why !== undefined) throw refused(why);
    }
    if (/^[A-Za-z]:/.test(segments[0] ?? '')) throw refused('it is absolute');
    return new ArtifactPath(segments);
  }

  /**
   * Checks the part of an address that names a file, as it came: each name is decoded once.
   * @throws IngotError `invalid-request`, also for bytes that are no UTF-8.
   */
  static fromUrl(encoded: string): ArtifactPath {
    const decode = (segment: string): string => {
      const name = decoded(segment);
      if (name === undefined || name.includes('/')) throw refused('a name in it is not encoded as it should be');
      return name;
    };
    return ArtifactPath.parse(encoded.split('/').map(decode).join('/'));
  }

  /** The file's own name. */
  get name(): string {
    return this.segments.at(-1) ?? '';
  }

  /** Path of the directory that it is in; empty at the top. */
  get parent(): string {
    return this.segments.slice(0, -1).join('/');
  }

  /** Paths of all directories above, outermost first. */
  get above(): readonly string[] {
    return this.segments.slice(0, -1).map((_, n) => this.segments.slice(0, n + 1).join('/'));
  }

  /** A file or directory below this one. Throws as {@link ArtifactPath.parse} does. */
  below(relative: string): ArtifactPath {
    return ArtifactPath.parse(`${this.text}/${relative}`);
  }

  /** Whether this is a path or lies below it. */
  isWithin(directory: ArtifactPath): boolean {
    return this.#checked && (this.text === directory.text || this.text.startsWith(`${directory.text}/`));
  }
}

function whyRefused(segment: string): string | undefined {
  const plain = whyUnsafe(segment);
  if (plain !== undefined) return plain;
  if (Buffer.byteLength(segment) > MAX_SEGMENT_BYTES) return `a name in it is longer than ${MAX_SEGMENT_BYTES} bytes`;
  // A name that means something else to whoever decodes it once more, or folds its characters, is no name.
  let name = segment;
  for (let layer = 0; name.includes('%'); layer += 1) {
    const next = decoded(name);
    if (next === undefined || next === name) break;
    if (layer === MAX_LAYERS || whyUnsafe(next) !== undefined) return 'it is encoded more than once';
    name = next;
  }
  return whyUnsafe(name.normalize('NFKC')) === undefined ? undefined : 'it holds characters that stand for others';
}

function whyUnsafe(name: string): string | undefined {
  if (name === '') return 'it is absolute or has an empty part';
  if (name === '.' || name === '..') return `it has the part "${name}"`;
  if (/\p{Surrogate}/u.test(name)) return 'it is no Unicode';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
  if (/[\u0000-\u001f\u007f-\u009f/\\#]/.test(name)) return 'it has a control character, a backslash or a #';
  return undefined;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    // A lone percent sign, or bytes that are no UTF-8.
    return undefined;
  }
}

function refused(why: string): IngotError {
  return new IngotError('invalid-request', `Invalid path: ${why}`, { operation: 'artifact.path' });
}
