import type { BaseImage } from './base-image.ts';
import type { ImageLayer } from './image-layer.ts';
import type { OciOptions } from '../oci/oci-place.ts';

/** How a container of an image starts. What is absent is the base's. */
export interface ImageRun {
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  /** Added to the base's variables, which they replace. */
  readonly env?: Readonly<Record<string, string>>;
  readonly workingDir?: string;
  /** Numeric, so that Kubernetes can see that it is not root: `65532:65532`. */
  readonly user?: string;
  /** `8080/tcp`. */
  readonly exposedPorts?: readonly string[];
  readonly stopSignal?: string;
  /** Paths that are volumes. */
  readonly volumes?: readonly string[];
  /** Docker's own; others leave it unread. */
  readonly healthcheck?: {
    readonly test: readonly string[];
    readonly intervalMs: number;
    readonly timeoutMs: number;
    readonly startPeriodMs: number;
    readonly retries: number;
  };
}

/** What an image of one platform is made of, above its base. */
export interface ImagePlan {
  /** From the base upwards: those that change least first. */
  readonly layers: readonly ImageLayer[];
  readonly run: ImageRun;
  /** Labels of the config, which are the manifest's annotations too; the base's name and digest are added. */
  readonly labels: Readonly<Record<string, string>>;
}

/** Says what an image is made of, once its base is known; called for each platform. */
export type PlanImage = (base: BaseImage, options?: OciOptions) => Promise<ImagePlan>;
