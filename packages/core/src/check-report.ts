import { IngotError } from './errors.ts';

/** Something that is damaged or missing. */
export interface Damage {
  /** Key of the blob. */
  readonly key: string;
  /** What is wrong with it, for people. */
  readonly message: string;
  /**
   * `contents`: bytes of versions; `log`: the history; `cache`: something that can simply be deleted, and that
   * `--repair-from` deletes; `care`: a root, a list or a moved file; `store`: `ingot.json`.
   */
  readonly sort: 'contents' | 'log' | 'cache' | 'care' | 'store';
  /** Of contents: the pack. */
  readonly pack?: string;
  /** The command that mends it. */
  readonly repair: string;
}

/** A version that cannot be had as it was published. */
export interface DamagedVersion {
  /** `churn:3`; the model's id in place of its name when its name is not known. */
  readonly ref: string;
  readonly model: string;
  readonly number?: number;
  /** What is damaged: bytes of its files, what lists them, or the history that says that there is such a version. */
  readonly hurt: 'files' | 'recipe' | 'history';
  /** Files of it that are damaged or missing; empty unless `hurt` is `files`. */
  readonly files: readonly string[];
  readonly packs: readonly string[];
  readonly repair: string;
}

/** Something worth knowing that is no damage: what a collection will take, or what is newer than this release. */
export interface CheckNote {
  readonly what: string;
  readonly count: number;
  readonly bytes: number;
}

/** What a check found. */
export interface CheckResult {
  /** Whether nothing is damaged. */
  readonly ok: boolean;
  readonly readData: boolean;
  readonly damage: readonly Damage[];
  readonly versions: readonly DamagedVersion[];
  readonly notes: readonly CheckNote[];
  /** How much was looked at. */
  readonly checked: {
    readonly logs: number;
    readonly events: number;
    readonly versions: number;
    readonly packs: number;
    readonly entries: number;
    /** Bytes that were read and hashed; 0 without `readData`. */
    readonly bytes: number;
  };
}

/** The command that mends contents, wherever a good copy is. */
export const REPAIR_COMMAND = 'ingot check --repair-from STORE';

/** The same for what only reading all bytes finds. */
export const REPAIR_BYTES_COMMAND = 'ingot check --read-data --repair-from STORE';

/** What helps where no other store can: the history, roots and moved files. */
export const RESTORE_IT = 'restore it from a backup or a mirror of the store';

/** The error that a check with damage ends with, `integrity`: exit 8. Undefined when nothing is damaged. */
export function damageError({ damage, versions }: CheckResult): IngotError | undefined {
  const [first] = damage;
  if (first === undefined) return undefined;
  const hurt =
    versions.length === 0 ? '' : `; ${versions.length} ${versions.length === 1 ? 'version is' : 'versions are'} hurt`;
  return new IngotError(
    'integrity',
    `${damage.length} ${damage.length === 1 ? 'object is' : 'objects are'} damaged${hurt}`,
    {
      operation: 'check',
      hint: first.repair,
      details: { damaged: damage.length, versions: versions.map(({ ref }) => ref) },
    },
  );
}
