/** Writes docs/frameworks.md from what the matrix recorded. */

const STEPS = ['save', 'load', 'serve', 'isolated'];
const SKIPPED = 'skipped: ';
const PAST = { save: 'saved', load: 'loaded', serve: 'served', isolated: 'isolated' };

/** What distributions stand for a framework, where they are called otherwise. */
const DISTRIBUTIONS = {
  xgboost: ['xgboost', 'xgboost-cpu'],
  tensorflow: ['tensorflow', 'tensorflow-cpu'],
  lightning: ['lightning', 'pytorch-lightning'],
  onnx: ['onnx'],
  several: [],
  function: [],
  object: [],
};

const INTRODUCTION = `# Frameworks

What \`ingot.push(model, "churn")\` saves, \`ingot.load("churn")\` gives back and \`ingot serve\` answers for without a line of
your own code. A program pushed, loaded, served and isolated every model counted here, with the versions named, and wrote
this page: [how to run it again](#run-it-again).

`;

const MEANING = `
✓ all models passed; with a number, that many were tried and passed. ✗ some failed: [every model](#every-model) says how.
– none was tried.

**Format**: *data* where loading runs nothing of the package; *code* where it holds a pickle or source, which \`ingot show\`
says of every version.

## What the marks mean

### save

\`ingot.push(model, name, X=data)\` stored the fitted object with its requirements, signature and environment.

### load

\`ingot.load(name)\` in the same Python gave back an object of the same class, and its predictions equal those of the object
that was pushed: exactly, unless [every model](#every-model) names a tolerance.

### serve

One real \`ingot serve --load on-demand --env current\` with all models answered over HTTP, with the same predictions.

### isolated

\`ingot.load(name, env="isolated")\` built an environment with exactly the packages that the version names, ran the model in
it, and gave the same predictions. The first model of each framework is tried, or all of them with \`--isolated all\`.

## Run it again

\`\`\`sh
npm run frameworks                          # the light group, in some minutes
npm run frameworks -- torch tensorflow      # other groups, each in an environment of its own under .cache/frameworks
npm run frameworks -- --all --docs          # everything, and write this page and docs/frameworks.json anew
\`\`\`

A group is a list of pinned packages in [python/frameworks](../python/frameworks); the models are made in
[python/tests/frameworks](../python/tests/frameworks). \`npm test\` runs two models of each framework of the light group.

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
  const rows = Object.values(groups).flatMap(({ results }) => results);
  const frameworks = byFramework(rows);
  const names = [...frameworks.keys()].sort((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1));
  const links = STEPS.map((step) => `[${step}](#${step})`).join(' | ');
  return [
    `${INTRODUCTION}| framework | version | models | format | ${links} |`,
    '| --- | --- | --: | --- | --- | --- | --- | --- |',
    ...names.map((name) => summary(name, frameworks.get(name))),
    MEANING + OWN,
    '## Every model',
    '',
    ...names.flatMap((name) => details(name, frameworks.get(name))),
    '## Where',
    '',
    '| group | models | Python | platform | Ingot | processor time |',
    '| --- | --: | --- | --- | --- | --: |',
    ...Object.entries(groups).map(([group, { python, platform, ingot, results, processorSeconds }]) => {
      const took = processorSeconds === undefined ? '' : `${processorSeconds} s`;
      return `| ${group} | ${results.length} | ${python} | ${platform} | ${ingot} | ${took} |`;
    }),
    '',
  ].join('\n');
}

function byFramework(rows) {
  const found = new Map();
  for (const row of rows) found.set(row.framework, [...(found.get(row.framework) ?? []), row]);
  return found;
}

function summary(name, rows) {
  const saved = rows.filter(({ steps }) => steps.save === 'ok');
  const format = new Set(saved.map(({ executesCode }) => (executesCode ? 'code' : 'data')));
  const marks = STEPS.map((step) => mark(step, rows)).join(' | ');
  return `| [${name}](#${name}) | ${versionOf(name, rows)} | ${rows.length} | ${[...format].sort().join(', ')} | ${marks} |`;
}

function versionOf(name, rows) {
  const wanted = DISTRIBUTIONS[name] ?? [name];
  const versions = rows.flatMap((row) => wanted.flatMap((each) => row.versions[each] ?? []));
  return [...new Set(versions)].join(', ') || '–';
}

/** `✓` where all models passed, `✓ 1` where only one was tried, `✗ 7 of 8` where one failed, `–` where none was tried. */
function mark(step, rows) {
  const tried = rows.map(({ steps }) => steps[step]).filter((word) => word !== undefined && !word.startsWith(SKIPPED));
  const right = tried.filter((word) => word === 'ok').length;
  if (tried.length === 0) return '–';
  if (right < tried.length) return `✗ ${right} of ${tried.length}`;
  return right === rows.length ? '✓' : `✓ ${right}`;
}

function details(name, rows) {
  return [`### ${name}`, '', ...rows.map(detail), ''];
}

function detail({ case: model, flavor, files, tolerance, steps }) {
  const within = tolerance > 0 ? `, within ${tolerance}` : '';
  const stored = flavor === '' ? '' : `: \`${flavor}\`${within}; ${files.map((file) => `\`${file}\``).join(' ')}`;
  const said = STEPS.filter((step) => steps[step] !== undefined && steps[step] !== 'ok').map((step) => told(step, steps[step].split('\n')[0]));
  return `- ${model}${stored}${said.map((words) => `. ${words}`).join('')}`;
}

function told(step, words) {
  return words.startsWith(SKIPPED) ? `Not ${PAST[step]}: ${words.slice(SKIPPED.length)}` : `**${step}: ${words}**`;
}
