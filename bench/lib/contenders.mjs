/** Who takes part in the contests; those that are slow, or large to install, only with `--peers`. */
import { cpContender, rcloneContender } from '../peers/storage/copies.mjs';
import { dvcContender } from '../peers/storage/dvc.mjs';
import { ingotContender } from '../peers/storage/ingot.mjs';
import { mlflowContender, mlflowServerContender } from '../peers/storage/mlflow.mjs';
import { modelstoreContender } from '../peers/storage/modelstore.mjs';
import { ociContender } from '../peers/storage/oci.mjs';
import { resticContender } from '../peers/storage/restic.mjs';
import { xetContender } from '../peers/storage/xet.mjs';

/** Over a directory: `make({entry})`. */
export const LOCAL_CONTENDERS = [
  { key: 'ingot', make: ingotContender },
  { key: 'cp', make: async () => cpContender() },
  { key: 'rclone', make: () => rcloneContender() },
  { key: 'xet', make: xetContender },
  { key: 'restic', make: () => resticContender() },
  { key: 'oci', isSlow: true, make: ociContender },
  { key: 'dvc', isSlow: true, make: () => dvcContender() },
  { key: 'modelstore', isSlow: true, make: () => modelstoreContender() },
  { key: 'mlflow', isSlow: true, make: () => mlflowContender() },
  { key: 'mlflow-server', isSlow: true, make: mlflowServerContender },
];

/** Over a bucket: `make({entry, remote})`. */
export const BUCKET_CONTENDERS = [
  { key: 'ingot', make: ({ entry, remote }) => ingotContender({ entry, storage: remote }) },
  { key: 'rclone', make: ({ remote }) => rcloneContender({ remote, flags: RCLONE_FAST, name: 'rclone copy, 8 at once' }) },
  { key: 'restic', make: resticContender },
  { key: 'dvc', isSlow: true, make: dvcContender },
  { key: 'modelstore', isSlow: true, make: modelstoreContender },
  { key: 'mlflow', isSlow: true, make: mlflowContender },
];

const RCLONE_FAST = ['--transfers', '8', '--s3-upload-concurrency', '8', '--s3-chunk-size', '16M', '--multi-thread-streams', '8'];
