/**
 * *Traffic* says which loaded version answers a name. Today the first configured source of a name takes all of it;
 * weights, shadows and sticky keys would be decided here.
 */
export class Traffic<Target> {
  readonly #defaults = new Map<string, Target>();

  /** The version that answers requests for `model` that name no version. */
  route(model: string): Target | undefined {
    return this.#defaults.get(model);
  }

  /** Sends all requests for `model` to `target` from now on; undefined: nothing answers. */
  point(model: string, target: Target | undefined): void {
    if (target === undefined) this.#defaults.delete(model);
    else this.#defaults.set(model, target);
  }
}
