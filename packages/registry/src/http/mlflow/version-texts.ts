const MOST_BYTES = 24 * 1024 * 1024;
const LONGEST = 64 * 1024;
/** About what an entry takes besides its text. */
const ENTRY_BYTES = 160;

interface Entry {
  readonly changedSeq: number;
  readonly text: string;
}

/** A version, and the event that changed it last. */
export interface VersionPlace {
  readonly model_id: string;
  readonly number: number;
  readonly changed_seq: number;
}

/**
 * What versions say, as JSON: made once, and kept until an event changes the version; the models that were asked for
 * longest ago go first. No more than some bytes of it.
 */
export class VersionTexts {
  readonly #models = new Map<string, Map<number, Entry>>();
  readonly #mostBytes: number;
  #bytes = 0;

  /** @param mostBytes default 24 MiB. */
  constructor(mostBytes = MOST_BYTES) {
    this.#mostBytes = mostBytes;
  }

  /** About the memory that they take. */
  get bytes(): number {
    return this.#bytes;
  }

  get({ model_id, number, changed_seq }: VersionPlace): string | undefined {
    const entry = this.#models.get(model_id)?.get(number);
    return entry?.changedSeq === changed_seq ? entry.text : undefined;
  }

  keep({ model_id, number, changed_seq: changedSeq }: VersionPlace, text: string): void {
    if (text.length > LONGEST) return;
    const versions = this.#models.get(model_id) ?? new Map<number, Entry>();
    this.#bytes += bytesOf(text) - bytesOf(versions.get(number)?.text);
    versions.set(number, { changedSeq, text });
    this.#models.delete(model_id);
    this.#models.set(model_id, versions);
    if (this.#bytes > this.#mostBytes) this.#shrink();
  }

  #shrink(): void {
    for (const [id, versions] of this.#models)
      for (const [number, { text }] of versions) {
        this.#bytes -= bytesOf(text);
        versions.delete(number);
        if (versions.size === 0) this.#models.delete(id);
        if (this.#bytes <= this.#mostBytes) return;
      }
  }
}

// Letters beyond Latin-1 take two bytes each, and make all others of their text do so.
function bytesOf(text: string | undefined): number {
  return text === undefined ? 0 : ENTRY_BYTES + text.length * 2;
}
