import type { Feature } from '@ingot/core/signature';

const DATETIME =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ]([01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})?)?$/;

/** Says whether text is an ISO 8601 date, with or without a time, that the calendar has. */
export function isDatetime(text: string): boolean {
  const match = DATETIME.exec(text);
  if (match === null) return false;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  return month >= 1 && month <= 12 && day >= 1 && day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
}

/** Says whether a missing value is fine for a feature: floats and texts unless denied, whole numbers and booleans only if granted. */
export function mayBeMissing(feature: Feature): boolean {
  const needsGrant = feature.type === 'integer' || feature.type === 'boolean';
  return needsGrant ? feature.nullable === true : feature.nullable !== false;
}

/** Says in words what a scalar feature takes: `a whole number`, `one of "basic", "pro"`. */
export function expectedValue(feature: Feature): string {
  const kinds = {
    float: 'a number',
    integer: 'a whole number',
    boolean: 'true or false',
    string: 'text',
    categorical: oneOf(feature),
    datetime: 'an ISO 8601 date or time, like "2024-05-01T12:00:00Z"',
    tensor: `${feature.dtype ?? 'FP64'} values of shape [${(feature.shape ?? [-1]).slice(1).join(', ')}]`,
  };
  return kinds[feature.type] + (feature.nullable === false ? ', not null' : '');
}

function oneOf(feature: Feature): string {
  const categories = feature.categories ?? [];
  if (categories.length === 0) return 'text';
  const shown = categories
    .slice(0, 20)
    .map((category) => JSON.stringify(category))
    .join(', ');
  return `one of ${shown}${categories.length > 20 ? `, … (${categories.length} in all)` : ''}`;
}
