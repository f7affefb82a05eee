import type { EnvironmentVariable } from '../serving/runtime.ts';
import type { Report } from './metadata-features.ts';
import type { Tree } from './yaml-tree.ts';

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
const SECRET_WORDS: ReadonlySet<string> = new Set([
  'SECRET',
  'SECRETS',
  'TOKEN',
  'PASSWORD',
  'PASSWD',
  'PASSPHRASE',
  'PWD',
  'APIKEY',
  'KEY',
  'CREDENTIAL',
  'CREDENTIALS',
]);
const SECRET_SHAPES = [
  /^(?:AKIA|ASIA)[A-Z0-9]{16}$/,
  /^gh[pousr]_[A-Za-z0-9]{20,}/,
  /^github_pat_/,
  /^sk-[A-Za-z0-9_-]{16,}/,
  /^hf_[A-Za-z0-9]{20,}/,
  /^xox[abprs]-/,
  /^eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\./,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  /^[a-z][a-z0-9+.-]*:\/\/[^/\s:@]+:[^/\s@]+@/i,
];

/**
 * Reads `environment_variables`: a list of `{name, description, default}` (or of bare names). A package says what it
 * wants to find, never a secret's value: `value:` and defaults that look like secrets are refused and never repeated.
 */
export function parseEnvironmentVariables(tree: Tree | undefined, report: Report): EnvironmentVariable[] {
  if (tree === undefined) return [];
  if (tree.items === undefined) {
    report(
      'error',
      'variables-not-a-list',
      'environment_variables should be a list',
      tree,
      'write "- name: MY_VARIABLE", one for each',
    );
    return [];
  }
  const variables = tree.items.flatMap((item) => parseVariable(item, report) ?? []);
  const seen = new Set<string>();
  variables.forEach((variable, index) => {
    if (seen.has(variable.name))
      report(
        'error',
        'variable-twice',
        `environment_variables names ${variable.name} twice`,
        tree.items?.[index] ?? tree,
      );
    seen.add(variable.name);
  });
  return variables;
}

function parseVariable(tree: Tree, report: Report): EnvironmentVariable | undefined {
  const name = tree.text ?? tree.entries?.get('name')?.tree.text;
  if (name === undefined || !VARIABLE.test(name)) {
    const shown =
      name === undefined
        ? 'an environment variable has no name'
        : `"${name.slice(0, 40)}" cannot be the name of an environment variable`;
    report('error', 'variable-name', shown, tree, 'use letters, digits and "_": "- name: TOKENIZERS_PARALLELISM"');
    return undefined;
  }
  if (/^INGOT_/i.test(name)) {
    report(
      'error',
      'variable-reserved',
      `${name} belongs to Ingot itself and cannot be set by a package`,
      tree,
      'choose another name',
    );
    return undefined;
  }
  const value = tree.entries?.get('value');
  if (value !== undefined) {
    report(
      'error',
      'variable-value',
      `environment_variables must not carry a value: remove the value of ${name}`,
      value.key,
      'set it where the model runs, or write a harmless "default:"',
    );
  }
  const fallback = tree.entries?.get('default')?.tree;
  const description = tree.entries?.get('description')?.tree.text;
  return {
    name,
    ...(description === undefined ? {} : { description }),
    ...checkDefault(name, fallback, report),
  };
}

function checkDefault(name: string, tree: Tree | undefined, report: Report): { readonly default?: string } {
  if (tree === undefined || tree.value === null) return {};
  const text = tree.text;
  if (text === undefined) {
    report('error', 'variable-default', `the default of ${name} should be a text`, tree, 'write it in quotes');
    return {};
  }
  if (SECRET_SHAPES.some((shape) => shape.test(text))) {
    report(
      'error',
      'variable-secret',
      `the default of ${name} looks like a secret`,
      tree,
      'remove it and set the variable where the model runs; if it was real, revoke it',
    );
    return {};
  }
  const secretName = name
    .toUpperCase()
    .split('_')
    .some((word) => SECRET_WORDS.has(word));
  if (secretName && text.length >= 8) {
    report(
      'warning',
      'variable-secret-name',
      `${name} sounds like a secret, and a default is stored for everybody to read`,
      tree,
      'remove the default unless it is harmless',
    );
  }
  return { default: text };
}
