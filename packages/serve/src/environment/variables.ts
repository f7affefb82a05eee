import { IngotError } from '@ingot/core/errors';
import type { EnvironmentVariable } from '@ingot/core/serving/runtime';

/**
 * Gives the value of every variable that a package declares: the server's own, else the package's default.
 * @throws IngotError `environment-mismatch` naming every variable that has neither.
 */
export function resolveVariables(
  declared: readonly EnvironmentVariable[],
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
  const missing: EnvironmentVariable[] = [];
  const values: Record<string, string> = {};
  for (const variable of declared) {
    const value = environment[variable.name] ?? variable.default;
    if (value === undefined) missing.push(variable);
    else values[variable.name] = value;
  }
  if (missing.length > 0) throw missingVariables(missing);
  return values;
}

function missingVariables(missing: readonly EnvironmentVariable[]): IngotError {
  const described = missing.map(({ name, description }) => (description ? `${name} (${description})` : name));
  const [first] = missing;
  return new IngotError(
    'environment-mismatch',
    `the model needs environment variables that are not set: ${described.join('; ')}`,
    {
      hint: `${first?.name ?? 'NAME'}=… ingot serve …`,
      details: { missing: missing.map(({ name }) => name) },
    },
  );
}
