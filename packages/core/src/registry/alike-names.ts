/**
 * Names the models that one of another name is easily taken for: those that differ only by case, `-`, `_` and `.`, and those
 * that stand in its namespace or whose namespace it stands in. Sorted; a name is not like itself.
 * @example
 * alikeNames('churn-model', ['churn_model', 'churn-model/v2', 'iris']); // ['churn-model/v2', 'churn_model']
 */
export function alikeNames(name: string, others: Iterable<string>): string[] {
  const key = keyOf(name);
  const isAlike = (other: string): boolean =>
    other !== name && (keyOf(other) === key || other.startsWith(`${name}/`) || name.startsWith(`${other}/`));
  return [...others].filter(isAlike).sort();
}

function keyOf(name: string): string {
  return name.toLowerCase().replaceAll(/[-_.]/g, '');
}
