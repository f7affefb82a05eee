const LOWER =
  /loss|error|err$|rmse|(?:^|[^a-z])(?:m[as]e|mape|brier|ece|perplexity|wer|cer|fpr|fnr)(?:$|[^a-z])|latency|duration|seconds|(?:^|_)ms$/i;
const HIGHER =
  /auc|acc|f1|f_?beta|precision|recall|score|r2|(?:^|[^a-z])(?:ap|map|mcc|kappa|ndcg|iou|dice|bleu|rouge|tpr|tnr)(?:$|[^a-z])|likelihood/i;

/** Says whether a smaller value of a metric is better, by its name; undefined when the name does not tell. */
export function lowerIsBetter(metric: string): boolean | undefined {
  if (LOWER.test(metric)) return true;
  return HIGHER.test(metric) ? false : undefined;
}

/** Picks the metric that a list shows: one whose name says that higher is better, else the first by name. */
export function headlineMetric(metrics: Readonly<Record<string, number>> | undefined): string | undefined {
  const names = Object.keys(metrics ?? {}).sort();
  return names.find((name) => lowerIsBetter(name) === false) ?? names[0];
}

/** Says which of two values of a metric is better; null when they are equal or the name does not tell. */
export function betterOf(metric: string, a: number, b: number): 'a' | 'b' | null {
  const lower = lowerIsBetter(metric);
  if (lower === undefined || a === b || Number.isNaN(a) || Number.isNaN(b)) return null;
  return a < b === lower ? 'a' : 'b';
}
