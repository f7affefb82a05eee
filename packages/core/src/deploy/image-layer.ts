/**
 * What is added to a base image, layer by layer. A *layer* is a deterministic tar of *entries*; its identity is the
 * digest of that tar, its *diff id*. What a layer's entries follow from is named by `inputs`, so that a layer that was
 * made before need not be made, nor even looked up, again.
 */

import type { OciOptions } from '../oci/oci-place.ts';

/** A file of a layer, with its bytes at hand. */
export interface LayerFile {
  readonly kind: 'file';
  /** Where it lies in the image, POSIX, without the leading slash: `models/churn/model.pkl`. */
  readonly path: string;
  readonly sizeBytes: number;
  /** 0o644 or 0o755. Default: 0o644. */
  readonly mode?: number;
  /** Gives its bytes; called again for another attempt. Other bytes than `sizeBytes` are `source-changed`. */
  open(): AsyncIterable<Uint8Array>;
}

/** A symbolic link of a layer. */
export interface LayerLink {
  readonly kind: 'link';
  readonly path: string;
  /** What it says, as it will stand in the image: `python3.11`, `/usr/lib/x`. */
  readonly target: string;
}

/** A directory of a layer. Directories that hold entries need not be named; naming one makes it empty, or its mode or owner other. */
export interface LayerDirectory {
  readonly kind: 'directory';
  readonly path: string;
  /** Default: 0o755. */
  readonly mode?: number;
  /** Numeric user and group that may write there. Default: 0. */
  readonly owner?: number;
}

/** One member of a layer. Owner 0 and time 0 unless said otherwise. */
export type LayerEntry = LayerFile | LayerLink | LayerDirectory;

/** The entries of a layer while it is made; disposing removes what was written for it. */
export interface LayerEntries extends AsyncDisposable {
  /** In any order; they are sorted by path. Two entries of one path are `invalid-package`. */
  readonly entries: readonly LayerEntry[];
}

/** A layer of an image that is baked. */
export interface ImageLayer {
  /** What it is, for progress and for what is printed of it: `environment`, `server`, `model`. */
  readonly name: 'environment' | 'server' | 'model';
  /** Says it to a person: `the environment of churn:7`. Default: the name. */
  readonly title?: string;
  /**
   * Everything its bytes follow from, as JSON values: digests of lock and wheels, platform, Python, versions of tools.
   * The same inputs must give the same entries, byte for byte, on any machine.
   */
  readonly inputs: Readonly<Record<string, string | number | boolean | null | readonly string[]>>;
  /** Written to the image's history: `ingot bake: environment of churn:7 (scikit-learn 1.5.2, …)`. The same inputs must give the same text. */
  readonly createdBy: string;
  /** Whether it is compressed with gzip. Default: false, as weights barely compress. */
  readonly gzip?: boolean;
  /** Makes the entries; called only when no layer of these inputs is known or its bytes are gone. */
  make(options?: OciOptions): Promise<LayerEntries>;
}
