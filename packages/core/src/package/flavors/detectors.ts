import type { Detector } from './flavor.ts';
import { detectFunction } from './function.ts';
import { detectOnnx } from './onnx.ts';
import { detectSklearn } from './sklearn.ts';

/**
 * Who recognises packages that say nothing of themselves, in the order in which they are asked: folders before single
 * files, special formats before general ones. One file a family.
 */
export const DETECTORS: readonly Detector[] = [detectFunction, detectOnnx, detectSklearn];
