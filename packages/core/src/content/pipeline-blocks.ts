import { createGearMemory, GEAR_BYTES, type GearMemory } from './chunker-wasm.ts';

/** Bytes of a block. */
export const BLOCK_BYTES = 1024 * 1024;

const PAGE_BYTES = 64 * 1024;

/** A part of memory that contents are read into. It is free again when nobody holds it. */
export interface Block {
  readonly bytes: Uint8Array;
  /** Where it begins in the memory that threads share; 0 for a block of its own. */
  readonly offset: number;
  hold(): void;
  release(): void;
}

/** Where the blocks of an upload come from, and go back to. */
export interface Blocks {
  /** Gives a block that its taker holds; waits until one is free. */
  acquire(): Promise<Block>;
  /** Ends all waiting with this error: after a failure nothing gives blocks back. */
  end(error: unknown): void;
}

/** Blocks in a memory that threads share. */
export interface SharedBlocks extends Blocks {
  readonly shared: GearMemory;
  /** Whether nobody holds any of them, or waits for one: then another upload can have them. */
  readonly areFree: boolean;
}

/** Makes blocks in the heap, at most `limit`, each only when it is needed. */
export function heapBlocks(limit: number): Blocks {
  return new Pool(limit, () => [Buffer.allocUnsafeSlow(BLOCK_BYTES), 0]);
}

/** Makes `limit` blocks in a memory that threads share. Throws where there is no such memory. */
export function sharedBlocks(limit: number): SharedBlocks {
  const first = Math.ceil(GEAR_BYTES / PAGE_BYTES) * PAGE_BYTES;
  const shared = createGearMemory((first + limit * BLOCK_BYTES) / PAGE_BYTES);
  const make = (n: number): readonly [Uint8Array, number] => {
    const offset = first + n * BLOCK_BYTES;
    return [Buffer.from(shared.memory.buffer, offset, BLOCK_BYTES), offset];
  };
  const pool = new Pool(limit, make);
  return {
    shared,
    get areFree() {
      return pool.isFree;
    },
    acquire: () => pool.acquire(),
    end: (error) => pool.end(error),
  };
}

class Pool implements Blocks {
  readonly #limit: number;
  readonly #make: (n: number) => readonly [Uint8Array, number];
  readonly #free: Block[] = [];
  readonly #waiting: { readonly resolve: (block: Block) => void; readonly reject: (error: unknown) => void }[] = [];
  #ended: { readonly error: unknown } | undefined;
  #made = 0;

  constructor(limit: number, make: (n: number) => readonly [Uint8Array, number]) {
    this.#limit = limit;
    this.#make = make;
  }

  get isFree(): boolean {
    return this.#ended === undefined && this.#free.length === this.#made;
  }

  async acquire(): Promise<Block> {
    if (this.#ended !== undefined) throw this.#ended.error;
    const block = this.#free.pop() ?? this.#another();
    if (block === undefined) return await new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    block.hold();
    return block;
  }

  end(error: unknown): void {
    this.#ended ??= { error };
    for (const { reject } of this.#waiting.splice(0)) reject(this.#ended.error);
  }

  #another(): Block | undefined {
    if (this.#made === this.#limit) return undefined;
    const [bytes, offset] = this.#make(this.#made);
    this.#made += 1;
    let holders = 0;
    const block: Block = {
      bytes,
      offset,
      hold: () => {
        holders += 1;
      },
      release: () => {
        holders -= 1;
        if (holders === 0) this.#giveBack(block);
      },
    };
    return block;
  }

  #giveBack(block: Block): void {
    const next = this.#waiting.shift();
    if (next === undefined) return void this.#free.push(block);
    block.hold();
    next.resolve(block);
  }
}
