import type { JsonObject } from '../json.ts';
import type { Descriptor, OciDigest, OciOptions, Platform } from '../oci/oci-place.ts';

/** What a base image says of how it runs; image-spec, config.md. */
export interface BaseConfig {
  readonly env: readonly string[];
  readonly user?: string;
  readonly workingDir?: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** What was found in the files of a base image. */
export interface BaseFacts {
  /** `ID` and `VERSION_ID` of `/etc/os-release`: `debian`, `12`. */
  readonly distribution?: { readonly id: string; readonly version?: string };
  /** The newest Python found in a usual place, by the name of its program; `/usr/local/bin` comes before `/usr/bin`. */
  readonly python?: {
    /** The program, absolute: `/usr/local/bin/python3.11`. */
    readonly path: string;
    /** `3.11`. */
    readonly version: string;
  };
  /** The C library, which decides what wheels run: `glibc` `2.36`, `musl` `1.2`. The version is absent where nothing tells it. */
  readonly libc?: { readonly name: 'glibc' | 'musl'; readonly version?: string };
  /** Node, where it has one: `/usr/local/bin/node`. */
  readonly node?: string;
  /** Whether `/bin/sh` is there. */
  readonly hasShell: boolean;
  /** Whether certificate authorities are there. */
  readonly hasCertificates: boolean;
  /** Shared libraries found in usual places, by file name, sorted: `libgomp.so.1`. */
  readonly libraries: readonly string[];
}

/** One platform of a base image. */
export interface BaseImage {
  /** As it was asked for: `docker.io/library/debian:bookworm-slim`, `oci:./base`, `debian:bookworm`. Written to `org.opencontainers.image.base.name`. */
  readonly name: string;
  /** Of the manifest that was taken; undefined where there is no base, or it is a plain root file system. */
  readonly digest?: OciDigest;
  readonly platform: Platform;
  /** Its layers from the bottom up, passed on untouched, with the digests of their tars. */
  readonly layers: readonly { readonly descriptor: Descriptor; readonly diffId: OciDigest }[];
  readonly config: BaseConfig;
  /** All that its config says. */
  readonly configJson: JsonObject;
  /** The repository of a registry that it is read from: `ghcr.io/team/base`; its layers are lent within the registry. */
  readonly repository?: string;
  /**
   * Looks through its layers once; what was found is remembered in the cache.
   * @throws IngotError `invalid-package` when a layer is not a tar that may be unpacked, `integrity`, `unavailable`.
   */
  facts(options?: OciOptions): Promise<BaseFacts>;
  /** Streams a layer as it lies there, compressed or not, checked. */
  readLayer(descriptor: Descriptor, options?: OciOptions): AsyncIterable<Uint8Array>;
}
