import { detectCatboost } from './catboost.ts';
import type { Detector } from './flavor.ts';
import { detectFunction } from './function.ts';
import { detectHuggingFace } from './hugging-face.ts';
import { detectKeras } from './keras.ts';
import { detectLightgbm } from './lightgbm.ts';
import { detectOnnx } from './onnx.ts';
import { detectSavedModel } from './saved-model.ts';
import { detectProphet, detectStatsmodels } from './series.ts';
import { detectSklearn } from './sklearn.ts';
import { detectAnnoy, detectGensim, detectSpacy } from './text-models.ts';
import { detectTorch } from './torch.ts';
import { detectXgboost } from './xgboost.ts';

/**
 * Who recognises packages that say nothing of themselves, in the order in which they are asked: folders before single
 * files, special formats before general ones. One file a family.
 */
export const DETECTORS: readonly Detector[] = [
  detectFunction,
  detectHuggingFace,
  detectSavedModel,
  detectKeras,
  detectOnnx,
  detectSpacy,
  detectSklearn,
  detectXgboost,
  detectLightgbm,
  detectCatboost,
  detectStatsmodels,
  detectProphet,
  detectGensim,
  detectAnnoy,
  detectTorch,
];
