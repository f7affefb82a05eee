/** Who takes part in the contest over a local store; those that are slow only with `--peers`. */
import { cpContender, rcloneContender } from '../peers/storage/copies.mjs';
import { ingotContender } from '../peers/storage/ingot.mjs';
import { resticContender } from '../peers/storage/restic.mjs';
import { xetContender } from '../peers/storage/xet.mjs';

export const CONTENDERS = [
  { key: 'ingot', make: ingotContender },
  { key: 'cp', make: async () => cpContender() },
  { key: 'rclone', make: () => rcloneContender() },
  { key: 'xet', make: xetContender },
  { key: 'restic', make: () => resticContender() },
];
