/** Writes docs/frameworks.md from what the matrix recorded. */

const STEPS = ['save', 'load', 'serve', 'isolated'];

/** What distributions stand for a framework, where they are called otherwise. */
const DISTRIBUTIONS = {
  xgboost: ['xgboost', 'xgboost-cpu'],
  several: [],
  function: [],
  object: [],
  lightning: ['lightning', 'pytorch-lightning'],
  statsmodels: ['statsmodels'],
};

const INTRODUCTION = `# Frameworks

What \`ingot.push(model, "churn")\` saves, \`ingot.load("churn")\` gives back and \`ingot serve\` answers for without a line of
your own code. Written by \`npm run frameworks -- --all --docs\`, which pushes every model below into a store, loads it back
and compares class and predictions with those of the object that was pushed, asks one real \`ingot serve\` for the same rows,
and loads the first model of each framework in an environment of its own (\`env="isolated"\`).

**Format**: a package is *data* where loading it runs nothing of the package; *code* where it holds a pickle or source, which
\`ingot show\` says of every version. Predictions are compared exactly, unless a tolerance is named.
`;

const OWN = `## Choosing the format yourself

- \`push(model, "churn", serializer="skops")\` stores a scikit-learn estimator as data. Loading it makes only types that skops trusts, and those that are allowed where it is loaded: \`INGOT_TRUSTED_TYPES=package.module.Class,…\`. The push says which types these are; where it names none, the model loads anywhere without running code. Pickle stays the default, because it carries every estimator exactly.
- \`push({"model": clf, "explainer": explainer, "threshold": 0.4}, "churn")\`, or a tuple, stores several in one package, each in its own format. \`load("churn")["explainer"]\` gives a part back; \`predict\` asks the one called \`model\`, else the first.
- Functions, bound methods, \`functools.partial\`, objects of your own classes with \`predict\` and classes themselves work as they are. Code that only exists in a notebook is stored with them (cloudpickle).

## A framework that is not here

A distribution adds one by two entry points, and needs no permission:

\`\`\`toml
[project.entry-points."ingot.serializers"]
abacus = "abacus.ingot:AbacusSerializer"

[project.entry-points."ingot.flavors"]
abacus = "abacus.loading"
\`\`\`

The serializer writes files and says how they are read (\`Saved(flavor="abacus", description={"artifact": "beads.txt"})\`); the module of the flavor has \`load(root, description)\` and \`predictor(native, description)\`. The distribution becomes a requirement of every version, so a model server installs it and finds the loader among *installed* packages: nothing in a package can name code to run. \`ingot.testing.check_serializer(AbacusSerializer(), model, data)\` runs the conformance test.
`;

/** The whole page, from the recorded groups. */
export function frameworksPage(groups) {
  const rows = Object.entries(groups).flatMap(([group, document]) => document.results.map((result) => ({ group, ...result })));
  const frameworks = Map.groupBy === undefined ? grouped(rows) : Map.groupBy(rows, ({ framework }) => framework);
  const names = [...frameworks.keys()].sort((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1));
  return [
    INTRODUCTION,
    '| framework | version | models | format | save | load | serve | isolated |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...names.map((name) => summary(name, frameworks.get(name))),
    '',
    OWN,
    '## Every model',
    '',
    ...names.flatMap((name) => details(name, frameworks.get(name))),
    '## Where',
    '',
    ...Object.entries(groups).map(([group, { python, platform, results }]) => `- ${group}: ${results.length} models, Python ${python}, ${platform}`),
    '',
  ].join('\n');
}

function grouped(rows) {
  const found = new Map();
  for (const row of rows) found.set(row.framework, [...(found.get(row.framework) ?? []), row]);
  return found;
}

function summary(name, rows) {
  const format = new Set(rows.map(({ executesCode }) => (executesCode ? 'code' : 'data')));
  return `| ${name} | ${versionOf(name, rows)} | ${rows.length} | ${[...format].sort().join(', ')} | ${STEPS.map((step) => counted(step, rows)).join(' | ')} |`;
}

function versionOf(name, rows) {
  const wanted = DISTRIBUTIONS[name] ?? [name];
  const versions = rows.flatMap(({ versions }) => wanted.flatMap((each) => versions[each] ?? []));
  return [...new Set(versions)].join(', ');
}

/** `✓` where all passed, else how many did, and how many were not asked. */
function counted(step, rows) {
  const said = rows.map(({ steps }) => steps[step]).filter((word) => word !== undefined);
  const right = said.filter((word) => word === 'ok').length;
  if (said.length === 0) return '';
  return right === said.length ? `✓ ${step === 'isolated' ? right : ''}`.trim() : `${right} of ${said.length}`;
}

function details(name, rows) {
  return [
    `### ${name}`,
    '',
    ...rows.map(({ case: model, flavor, files, tolerance, steps }) => {
      const within = tolerance > 0 ? `, within ${tolerance}` : '';
      const failed = STEPS.filter((step) => steps[step] !== undefined && steps[step] !== 'ok').map((step) => `${step}: ${steps[step].split('\n')[0]}`);
      return `- ${model}: \`${flavor}\`${within}; ${files.map((file) => `\`${file}\``).join(' ')}${failed.length > 0 ? `. **${failed.join('; ')}**` : ''}`;
    }),
    '',
  ];
}
