import type { ModelName } from '../ref.ts';
import type { Rule } from './choose.ts';
import type { Mark } from './marks.ts';
import type { SourceFileFacts } from './place.ts';
import type { PlainAddress } from './plain-address.ts';
import type { SourceVersion } from './source-version.ts';

/** The file or directory that an address means now. */
export interface SourceMatch {
  readonly address: PlainAddress;
  readonly kind: 'file' | 'directory';
  /** Path below the address's root; empty for the root itself. */
  readonly path: string;
  /** For people: the address of just this. */
  readonly location: string;
  readonly name: ModelName;
  readonly version: SourceVersion;
  /** What its name says about age; {@link version} is what that is called. */
  readonly marks: readonly Mark[];
  /** When it was last changed, as the storage says. */
  readonly modifiedAt: Date;
  /** Another text whenever what the address means may be something else. */
  readonly revision: string;
  /** All files, their paths below the root. */
  readonly files: readonly SourceFileFacts[];
  readonly sizeBytes: number;
  readonly rule: Rule;
  /** For people: why this one. */
  readonly because: string;
  readonly notes: readonly string[];
}
