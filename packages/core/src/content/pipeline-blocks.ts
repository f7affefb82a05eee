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
}

/** Blocks in a memory that threads share. */
export interface SharedBlocks extends Blocks {
  readonly shared: GearMemory;
}

/**
 * Makes blocks in the heap, at most `limit`, each only when it is needed.
 * @param onStarved is called when none is free, and may release some.
 */
export function heapBlocks(limit: number, onStarved: () => void): Blocks {
  return new Pool(limit, () => [Buffer.allocUnsafeSlow(BLOCK_BYTES), 0], onStarved);
}

/** Makes `limit` blocks in a memory that threads share. Throws where there is no such memory. */
export function sharedBlocks(limit: number, onStarved: () => void): SharedBlocks {
  const first = Math.ceil(GEAR_BYTES / PAGE_BYTES) * PAGE_BYTES;
  const shared = createGearMemory((first + limit * BLOCK_BYTES) / PAGE_BYTES);
  const make = (n: number): readonly [Uint8Array, number] => {
    const offset = first + n * BLOCK_BYTES;
    return [Buffer.from(shared.memory.buffer, offset, BLOCK_BYTES), offset];
  };
  const pool = new Pool(limit, make, onStarved);
  return { shared, acquire: () => pool.acquire() };
}

class Pool implements Blocks {
  readonly #limit: number;
  readonly #make: (n: number) => readonly [Uint8Array, number];
  readonly #onStarved: () => void;
  readonly #free: Block[] = [];
  readonly #waiting: ((block: Block) => void)[] = [];
  #made = 0;

  constructor(limit: number, make: (n: number) => readonly [Uint8Array, number], onStarved: () => void) {
    this.#limit = limit;
    this.#make = make;
    this.#onStarved = onStarved;
  }

  async acquire(): Promise<Block> {
    if (this.#free.length === 0 && this.#made === this.#limit) this.#onStarved();
    const block = this.#free.pop() ?? this.#another();
    if (block === undefined) return await new Promise((resolve) => this.#waiting.push(resolve));
    block.hold();
    return block;
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
    next(block);
  }
}
