/** The part of the `ssh2` client that is used here. */
declare module 'ssh2' {
  import type { EventEmitter } from 'node:events';
  import type { Socket } from 'node:net';

  /** A private or public key. */
  export interface ParsedKey {
    readonly type: string;
    isPrivateKey(): boolean;
  }

  /** One way to log in. */
  export type AuthMethod =
    | { readonly type: 'publickey'; readonly username: string; readonly key: ParsedKey }
    | { readonly type: 'agent'; readonly username: string; readonly agent: string }
    | { readonly type: 'password'; readonly username: string; readonly password: string }
    | {
        readonly type: 'keyboard-interactive';
        readonly username: string;
        readonly prompt: (
          name: string,
          instructions: string,
          language: string,
          prompts: readonly { readonly prompt: string }[],
          finish: (answers: string[]) => void,
        ) => void;
      };

  export interface ConnectConfig {
    readonly sock: Socket;
    readonly username: string;
    readonly readyTimeout: number;
    readonly hostVerifier: (key: Buffer) => boolean;
    readonly authHandler: readonly AuthMethod[];
    readonly algorithms?: {
      readonly serverHostKey?: {
        readonly prepend: readonly string[];
        readonly append: readonly string[];
        readonly remove: readonly string[];
      };
    };
  }

  export interface Attributes {
    readonly mode: number;
    readonly size: number;
    /** Seconds. */
    readonly mtime: number;
    isDirectory(): boolean;
    isFile(): boolean;
  }

  export interface DirectoryEntry {
    readonly filename: string;
    readonly attrs: Attributes;
  }

  export interface StatVfs {
    readonly f_frsize: number;
    readonly f_bavail: number;
  }

  type Done = (error?: Error) => void;
  type Gives<T> = (error: Error | undefined, value: T) => void;

  export interface SFTPWrapper extends EventEmitter {
    open(path: string, flags: string, attributes: { readonly mode: number }, done: Gives<Buffer>): void;
    open(path: string, flags: string, done: Gives<Buffer>): void;
    close(handle: Buffer, done: Done): void;
    read(handle: Buffer, buffer: Buffer, offset: number, length: number, position: number, done: Gives<number>): void;
    write(handle: Buffer, buffer: Buffer, offset: number, length: number, position: number, done: Done): void;
    fstat(handle: Buffer, done: Gives<Attributes>): void;
    fsetstat(handle: Buffer, attributes: { readonly mode: number }, done: Done): void;
    setstat(path: string, attributes: { readonly mode: number }, done: Done): void;
    stat(path: string, done: Gives<Attributes>): void;
    mkdir(path: string, attributes: { readonly mode: number }, done: Done): void;
    rmdir(path: string, done: Done): void;
    unlink(path: string, done: Done): void;
    readdir(path: string, done: Gives<DirectoryEntry[]>): void;
    /** Throws at once where the server has no such extension. */
    ext_openssh_hardlink(path: string, newPath: string, done: Done): void;
    /** Throws at once where the server has no such extension. */
    ext_openssh_fsync(handle: Buffer, done: Done): void;
    /** Throws at once where the server has no such extension. */
    ext_openssh_statvfs(path: string, done: Gives<StatVfs>): void;
  }

  export class Client extends EventEmitter {
    connect(config: ConnectConfig): this;
    sftp(done: Gives<SFTPWrapper>): void;
    end(): this;
    destroy(): this;
  }

  const ssh2: {
    readonly Client: typeof Client;
    readonly utils: {
      parseKey(data: Buffer | string, passphrase?: string): ParsedKey | ParsedKey[] | Error;
      generateKeyPairSync(type: 'ed25519'): { readonly private: string; readonly public: string };
    };
  };
  // The module is CommonJS: this is what `import()` of it gives.
  // biome-ignore lint/style/noDefaultExport: this is how the module is
  export default ssh2;
}
