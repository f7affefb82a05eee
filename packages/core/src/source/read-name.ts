import type { Mark, VersionMark } from './marks.ts';
import { stageOf } from './marks.ts';
import { type DayOrder, readDate } from './read-date.ts';

/** What a name consists of. */
export interface NameParts {
  /** Words that name something: `sentiment`, `model`. Lower case. */
  readonly words: readonly string[];
  /** Versions and dates, in the order in which they stand there. */
  readonly marks: readonly Mark[];
  /** What tells one file from another without ordering them: commits, checksums, scores. */
  readonly ids: readonly string[];
}

/** How a name is to be read. */
export interface ReadNameOptions {
  /** Whether a `v` stands right before the text, as it does where `*` stands in `model_v*.pkl`. Default: false. */
  readonly afterV?: boolean;
  /** How `03-04-2024` is read. Default: as no date. */
  readonly dayOrder?: DayOrder;
}

const SEPARATORS = /^[\s_\-.=+,~()[\]{}@#:;!]+/;
const HASH =
  /^(?:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,64})(?![0-9a-z])/i;
const VERSION =
  /^(?:(?<v>versions?|version|ver|v|release|rel|revision|rev|r)[._\- ]?(?=\d))?(?<numbers>\d+(?:\.\d+)*)/i;
const MORE = /^_(\d{1,3})(?![\da-z])/i;
/** A single letter counts only where it touches the number; words may stand apart. */
const STAGE =
  /^(?:(?<letter>a|b|c|m|p)(?<count>\d+)?|[-_. ]?(?<word>alpha|beta|rc|preview|pre|dev|snapshot|nightly|canary|milestone|ea|final|ga|release|stable|post|patch|hotfix|fix|sp|rev|r(?=\d))[-_.]?(?<number>\d+)?)(?![0-9a-z])/i;
const BUILD = /^\+[0-9a-z]+(?:[.-][0-9a-z]+)*/i;
const COUNTED =
  /^(epoch|step|steps|iter|iteration|checkpoint|ckpt|build|round|run|global_step|version|release|rev)(\d+)(?![0-9a-z.])/i;
/** Day and month, or month and day: it says when something was made, but not in which order. */
const UNCLEAR_DATE = /^\d{1,2}([-_.])\d{1,2}\1(?:19|20)\d\d(?!\d)/;
const SCORE = /^[a-z]+\d+\.\d+(?![0-9a-z])/i;
const GLUED = /^([a-z]{2,})(v\d+(?:\.\d+)*)(?![0-9a-z])/i;
const WORD = /^[^\s_\-.=+,~()[\]{}@#:;!]+/;

/** Words that say nothing: who writes `_final` means the same model. */
const NEUTRAL: ReadonlySet<string> = new Set(['final', 'ga', 'stable', 'gold', 'release', 'v', 'ver', 'version']);

/**
 * Takes a name apart into words, versions and dates, and ids.
 * @example
 * readName('sentiment_model_v1.2'); // words sentiment and model, one mark: version 1.2
 */
export function readName(text: string, options: ReadNameOptions = {}): NameParts {
  const reader = new NameReader(text, options);
  while (reader.step()) {
    // each step takes one part
  }
  return reader;
}

class NameReader implements NameParts {
  readonly words: string[] = [];
  readonly marks: Mark[] = [];
  readonly ids: string[] = [];
  #rest: string;
  #afterV: boolean;
  readonly #order: DayOrder;

  constructor(text: string, { afterV = false, dayOrder }: ReadNameOptions) {
    this.#rest = text;
    this.#afterV = afterV;
    this.#order = dayOrder;
  }

  step(): boolean {
    if (!this.#afterV) this.#take(SEPARATORS);
    if (this.#rest === '') return false;
    const found =
      this.#date() ||
      this.#id() ||
      this.#version() ||
      this.#score() ||
      this.#counted() ||
      this.#glued() ||
      this.#word() ||
      this.#skip();
    this.#afterV = false;
    return found;
  }

  #date(): boolean {
    if (this.#afterV) return false;
    const found = readDate(this.#rest, this.#order);
    if (found === undefined) return false;
    this.marks.push(found.mark);
    this.#rest = this.#rest.slice(found.length);
    return true;
  }

  #version(): boolean {
    const found = readVersion(this.#rest, this.#afterV);
    if (found === undefined) return false;
    this.marks.push(found.mark);
    this.#rest = this.#rest.slice(found.length);
    return true;
  }

  #id(): boolean {
    const found = this.#take(UNCLEAR_DATE) ?? this.#take(HASH);
    if (found === undefined) return false;
    this.ids.push(found[0]);
    return true;
  }

  #score(): boolean {
    const found = this.#take(SCORE);
    if (found === undefined) return false;
    this.ids.push(found[0]);
    return true;
  }

  #counted(): boolean {
    const found = this.#take(COUNTED);
    if (found === undefined) return false;
    const [, word = '', number = ''] = found;
    if (!NEUTRAL.has(word.toLowerCase())) this.words.push(word.toLowerCase());
    this.marks.push(versionMark([number], number));
    return true;
  }

  #glued(): boolean {
    const found = GLUED.exec(this.#rest);
    if (found === null) return false;
    this.words.push((found[1] ?? '').toLowerCase());
    this.#rest = this.#rest.slice(found[1]?.length ?? 0);
    return true;
  }

  #word(): boolean {
    const found = this.#take(WORD)?.[0].toLowerCase();
    if (found === undefined) return false;
    if (!NEUTRAL.has(found)) this.words.push(found);
    return true;
  }

  #skip(): boolean {
    this.#rest = this.#rest.slice(1);
    return true;
  }

  #take(pattern: RegExp): RegExpExecArray | undefined {
    const match = pattern.exec(this.#rest);
    if (match === null) return undefined;
    this.#rest = this.#rest.slice(match[0].length);
    return match;
  }
}

function readVersion(text: string, afterV: boolean): { mark: VersionMark; length: number } | undefined {
  const match = VERSION.exec(text);
  if (match === null) return undefined;
  const hasV = afterV || match.groups?.v !== undefined;
  const numbers = match.groups?.numbers ?? '';
  const components = numbers.split('.');
  let end = match[0].length;
  for (let more = MORE.exec(text.slice(end)); hasV && more !== null; more = MORE.exec(text.slice(end))) {
    components.push(more[1] ?? '');
    end += more[0].length;
  }
  const begin = match[0].length - numbers.length;
  const stage = STAGE.exec(text.slice(end));
  const isBare = !hasV && components.length === 1;
  const counts = stage !== null && !(isBare && stage.groups?.letter !== undefined);
  if (counts) end += stage[0].length;
  end += BUILD.exec(text.slice(end))?.[0].length ?? 0;
  // `7b`, `3d` and `2vec` are words.
  if (/^[a-z]/i.test(text.slice(end))) return undefined;
  return { mark: versionMark(components, text.slice(begin, end), counts ? stage.groups : undefined), length: end };
}

function versionMark(
  components: readonly string[],
  text: string,
  stage?: Readonly<Record<string, string | undefined>>,
): VersionMark {
  return {
    kind: 'version',
    components: components.map((digits) => digits.replace(/^0+(?=\d)/, '')),
    stage: stageOf(stage?.letter ?? stage?.word ?? '') ?? 0,
    stageNumber: Number(stage?.count ?? stage?.number ?? 0),
    text,
  };
}
