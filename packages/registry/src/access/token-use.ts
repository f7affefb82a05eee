import type { Accounts } from './accounts.ts';

const WRITE_EVERY_MS = 30_000;

/** Notes when tokens were used last; written together twice a minute. Disposing it writes what is left. */
export class TokenUse implements AsyncDisposable {
  readonly #accounts: Accounts;
  readonly #now: () => Date;
  readonly #warn: (message: string) => void;
  readonly #timer: NodeJS.Timeout;
  #used = new Set<string>();

  constructor(
    accounts: Accounts,
    { now, warn }: { readonly now: () => Date; readonly warn: (message: string) => void },
  ) {
    this.#accounts = accounts;
    this.#now = now;
    this.#warn = warn;
    this.#timer = setInterval(() => this.#write().catch(() => {}), WRITE_EVERY_MS);
    this.#timer.unref();
  }

  note(id: string): void {
    this.#used.add(id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#write();
  }

  // The time is that of the writing: half a minute off, for nothing to be remembered at each request.
  async #write(): Promise<void> {
    const used = this.#used;
    if (used.size === 0) return;
    this.#used = new Set();
    const at = this.#now().toISOString();
    try {
      await this.#accounts.used(new Map([...used].map((id) => [id, at])));
    } catch (error) {
      this.#warn(`it cannot be noted when tokens were used: ${String(error)}`);
    }
  }
}
