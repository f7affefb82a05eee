import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { IngotError } from '@ingot/core/errors';

const MIB = 1024 * 1024;
const BLOCK_BYTES = MIB;
const SPARE_BLOCKS = 32;

/** What holding packs may take. */
export interface SpoolLimits {
  /** Bytes in memory, all packs together. Default: 64 MiB. */
  readonly memoryBytes?: number;
  /** Bytes in files, all packs together. Default: 8 GiB. */
  readonly fileBytes?: number;
}

/** Holds the bytes of packs that are on their way: in memory while there is room, else in files that have no name. */
export class PackSpool {
  readonly #directory: string;
  readonly #memoryBytes: number;
  readonly #fileBytes: number;
  /** Blocks to use again: to allocate one for each MiB costs more than to hash it. */
  readonly #spare: Buffer[] = [];
  #inMemory = 0;
  #inFiles = 0;

  /** @param directory where files are made when memory is full; made when needed. */
  constructor(directory: string, { memoryBytes = 64 * MIB, fileBytes = 8 * 1024 * MIB }: SpoolLimits = {}) {
    this.#directory = directory;
    this.#memoryBytes = memoryBytes;
    this.#fileBytes = fileBytes;
  }

  /** Bytes that are held now. */
  get held(): { readonly inMemory: number; readonly inFiles: number } {
    return { inMemory: this.#inMemory, inFiles: this.#inFiles };
  }

  /** Makes room for bytes that will come: nothing is taken before they do. */
  open(): HeldBytes {
    return new HeldBytes({
      takeBlock: () => {
        if (this.#inMemory + BLOCK_BYTES > this.#memoryBytes) return undefined;
        this.#inMemory += BLOCK_BYTES;
        return this.#spare.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
      },
      giveBlocks: (blocks, isSpare) => {
        this.#inMemory -= blocks.length * BLOCK_BYTES;
        if (isSpare) this.#spare.push(...blocks.slice(0, SPARE_BLOCKS - this.#spare.length));
      },
      takeFile: (bytes) => {
        if (this.#inFiles + bytes > this.#fileBytes)
          throw new IngotError('overloaded', 'the server takes too many packs at once', { hint: 'push again later' });
        this.#inFiles += bytes;
      },
      giveFile: (bytes) => {
        this.#inFiles -= bytes;
      },
      createFile: () => this.#createFile(),
    });
  }

  // Without a name it is gone when the server is, however that ends.
  async #createFile(): Promise<FileHandle> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const path = join(this.#directory, `${randomUUID()}.tmp`);
    const file = await open(path, 'wx+', 0o600);
    await unlink(path);
    return file;
  }
}

interface Room {
  /** Undefined when there is none. */
  takeBlock(): Buffer | undefined;
  /** `isSpare`: nobody has them any more. */
  giveBlocks(blocks: readonly Buffer[], isSpare: boolean): void;
  takeFile(bytes: number): void;
  giveFile(bytes: number): void;
  createFile(): Promise<FileHandle>;
}

/** Bytes of one pack. Disposing it lets them go. */
export class HeldBytes implements AsyncDisposable {
  readonly #room: Room;
  #blocks: Buffer[] = [];
  #within = 0;
  #file: FileHandle | undefined;
  #sizeBytes = 0;
  #isDone = false;

  constructor(room: Room) {
    this.#room = room;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Says that whoever was given the bytes needs them no more; a writing that was cut off may still have them. */
  done(): void {
    this.#isDone = true;
  }

  /** Adds bytes; their memory may be used again afterwards. Throws `overloaded` when there is no room anywhere. */
  async add(bytes: Uint8Array): Promise<void> {
    for (let rest = bytes; rest.byteLength > 0; ) {
      if (this.#file === undefined && this.#isFull() && !this.#grow()) await this.#toFile();
      if (this.#file !== undefined) return await this.#append(this.#file, rest);
      const block = this.#blocks.at(-1);
      if (block === undefined) return;
      const some = rest.subarray(0, block.byteLength - this.#within);
      block.set(some, this.#within);
      this.#within += some.byteLength;
      this.#sizeBytes += some.byteLength;
      rest = rest.subarray(some.byteLength);
    }
  }

  /** Where the next bytes may be written instead of being added, see {@link HeldBytes.wrote}; undefined when they go to a file. */
  room(): Uint8Array | undefined {
    if (this.#file !== undefined || (this.#isFull() && !this.#grow())) return undefined;
    return this.#blocks.at(-1)?.subarray(this.#within);
  }

  /** Adds bytes that were written to the beginning of {@link HeldBytes.room}. */
  wrote(count: number): void {
    this.#within += count;
    this.#sizeBytes += count;
  }

  /** Streams the bytes from some place on, in pieces of up to 1 MiB. */
  async *read(start = 0, end = this.#sizeBytes): AsyncIterable<Buffer> {
    if (this.#file !== undefined) return yield* readFile(this.#file, start, end);
    for (const [n, block] of this.#blocks.entries()) {
      const from = n * BLOCK_BYTES;
      const some = block.subarray(Math.max(0, start - from), Math.max(0, Math.min(end - from, BLOCK_BYTES)));
      if (some.byteLength > 0) yield some;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#room.giveBlocks(this.#blocks, this.#isDone);
    this.#blocks = [];
    if (this.#file === undefined) return;
    this.#room.giveFile(this.#sizeBytes);
    await this.#file.close();
    this.#file = undefined;
  }

  #isFull(): boolean {
    return this.#blocks.length === 0 || this.#within === BLOCK_BYTES;
  }

  #grow(): boolean {
    const block = this.#room.takeBlock();
    if (block === undefined) return false;
    this.#blocks.push(block);
    this.#within = 0;
    return true;
  }

  async #toFile(): Promise<void> {
    const blocks = this.#blocks;
    this.#room.takeFile(this.#sizeBytes);
    this.#file = await this.#room.createFile().catch((error: unknown) => {
      this.#room.giveFile(this.#sizeBytes);
      throw error;
    });
    for (const [n, block] of blocks.entries()) await this.#file.write(block, 0, block.byteLength, n * BLOCK_BYTES);
    this.#blocks = [];
    this.#room.giveBlocks(blocks, true);
  }

  async #append(file: FileHandle, bytes: Uint8Array): Promise<void> {
    this.#room.takeFile(bytes.byteLength);
    const at = this.#sizeBytes;
    this.#sizeBytes += bytes.byteLength;
    await file.write(bytes, 0, bytes.byteLength, at);
  }
}

async function* readFile(file: FileHandle, start: number, end: number): AsyncIterable<Buffer> {
  for (let at = start; at < end; ) {
    // Whoever sends it on may still have the one before.
    const block = Buffer.allocUnsafeSlow(Math.min(BLOCK_BYTES, end - at));
    const { bytesRead } = await file.read(block, 0, block.byteLength, at);
    if (bytesRead === 0) throw new IngotError('integrity', 'a file of the server became shorter');
    yield block.subarray(0, bytesRead);
    at += bytesRead;
  }
}
