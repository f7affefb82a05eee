import { IngotError, isIngotError } from './errors.ts';
import type { SourcePackage, SourceReader } from './source-reader.ts';
import type { SourceMatch } from './source/source-match.ts';

/** Options of {@link SourceFollower}. */
export interface SourceFollowerOptions {
  readonly reader: SourceReader;
  /** Milliseconds of a clock that only goes forward. */
  readonly clock: () => number;
  /** A number in [0, 1), to keep servers from asking at the same time. Default: the system's. */
  readonly random?: () => number;
  /** How often a directory of this machine is looked at. Default: 1,000 ms. */
  readonly localMs?: number;
  /** How often a storage elsewhere is asked. Default: 5,000 ms. */
  readonly remoteMs?: number;
}

interface Followed {
  answer?: SourcePackage;
  /** What was seen last and is not taken yet, because it may still be written to. */
  unsettled?: string;
  /** What could not be made a package of: it is not read again until it changes. */
  refused?: { readonly revision: string; readonly error: IngotError };
  nextLookAt: number;
}

/**
 * Follows addresses: each call gives the package that an address means, and looks again only after a while. A file that
 * was just written is taken when two looks in a row saw it unchanged; until then the one before it is given.
 */
export class SourceFollower {
  readonly #options: SourceFollowerOptions;
  readonly #followed = new Map<string, Followed>();

  constructor(options: SourceFollowerOptions) {
    this.#options = options;
  }

  /**
   * Gives what an address means, or meant when last looked at.
   * @throws IngotError as {@link SourceReader} does; also when what is there now is no package, or not whole.
   */
  async open(text: string, options: { readonly signal?: AbortSignal } = {}): Promise<SourcePackage> {
    const { clock, reader } = this.#options;
    const followed = this.#followed.get(text) ?? { nextLookAt: 0 };
    this.#followed.set(text, followed);
    if (followed.answer !== undefined && clock() < followed.nextLookAt) return this.#again(followed);
    if (followed.answer === undefined) followed.answer = await reader.open(text, options);
    else await this.#look(text, followed, options);
    followed.nextLookAt = clock() + this.#interval(text);
    return this.#again(followed);
  }

  #again({ answer, refused }: Followed): SourcePackage {
    if (refused !== undefined) throw refused.error;
    if (answer === undefined) throw new IngotError('unexpected', 'nothing was looked at yet');
    return answer;
  }

  async #look(text: string, followed: Followed, options: { readonly signal?: AbortSignal }): Promise<void> {
    const { reader } = this.#options;
    let match: SourceMatch | undefined;
    try {
      match = await reader.match(text, options);
      if (await this.#isUnsettled(followed, match)) return;
      if (followed.refused?.revision === match.revision) return;
      followed.answer = await reader.package(match, options);
      delete followed.refused;
    } catch (error) {
      this.#note(followed, match, error);
    }
  }

  /** Waits for a second look at a file that may still be written to. */
  async #isUnsettled(followed: Followed, match: SourceMatch): Promise<boolean> {
    const { reader } = this.#options;
    const { answer, refused } = followed;
    const isOld = answer?.record.revision === match.revision || refused?.revision === match.revision;
    if (isOld || followed.unsettled === match.revision || !(await reader.isFresh(match))) {
      if (!isOld && !(await reader.isWhole(match))) {
        this.#refuse(followed, match);
        return true;
      }
      delete followed.unsettled;
      return false;
    }
    followed.unsettled = match.revision;
    return true;
  }

  #refuse(followed: Followed, match: SourceMatch): void {
    const error = new IngotError('invalid-package', `${match.location} ends in the middle: it is not whole`, {
      hint: 'write to another name first and rename it when it is whole',
    });
    followed.refused = { revision: match.revision, error };
  }

  /** An outage leaves the last answer, marked; what is wrong with a file is told until the file changes. */
  #note(followed: Followed, match: SourceMatch | undefined, error: unknown): void {
    if (!isIngotError(error) || error.code === 'interrupted') throw error;
    const { answer } = followed;
    if (isIngotError(error, 'unavailable', 'timeout', 'overloaded', 'store-not-found') && answer !== undefined)
      followed.answer = { staleSince: answer.record.at, ...answer };
    else followed.refused = { revision: error.code === 'invalid-package' ? (match?.revision ?? '') : '', error };
  }

  #interval(text: string): number {
    const { random = Math.random, localMs = 1000, remoteMs = 5000 } = this.#options;
    // An alias of a registry is followed within two seconds; asking for it costs a request or two.
    const isLocal = /^(?:file:|models:|oci(?:-archive)?:(?!\/\/)|[/.~])/i.test(text);
    return (isLocal ? localMs : remoteMs) * (1 + 0.6 * random());
  }
}
