import { LOCK_OPTIONS } from './lock-options.ts';
import type { VerbSpec } from './verb.ts';

/** Verbs that run models. */
export const SERVE_VERBS: readonly VerbSpec[] = [
  {
    name: 'serve',
    about: 'answer predictions over HTTP',
    group: 'serve',
    args: [
      {
        name: 'SOURCE',
        about: 'what to serve, like churn@production or s3://bucket/churn_v*.pkl (default: INGOT_MODELS)',
        optional: true,
        many: true,
        complete: 'reference',
      },
    ],
    options: [
      { name: 'host', value: 'HOST', about: 'address to listen on (default: 127.0.0.1)', setting: 'host' },
      { name: 'port', value: 'PORT', about: 'port to listen on; 0 takes a free one (default: 8080)', setting: 'port' },
      {
        name: 'load',
        value: 'WHEN',
        about: 'start or on-demand (default: start)',
        complete: ['start', 'on-demand'],
        setting: 'load',
      },
      {
        name: 'env',
        value: 'HOW',
        about: 'Python packages: auto builds and caches them, current checks, none trusts (default: auto)',
        complete: ['auto', 'current', 'none'],
        setting: 'env',
      },
      { name: 'allow-setup', about: "run a package's setup.sh or setup.py", setting: 'allow-setup' },
      {
        name: 'allow-source',
        about: 'admit requirements that are not named wheels: URLs, paths, source builds',
        setting: 'allow-source',
      },
      { name: 'workers', value: 'N', about: 'Python workers for each version', setting: 'workers' },
      {
        name: 'spare',
        value: 'N',
        about: 'warm Python processes kept for the next version or a replacement; 0: none (default: 1)',
        setting: 'spare',
      },
      { name: 'timeout', value: 'SECONDS', about: 'longest time for one prediction', setting: 'timeout' },
      { name: 'memory', value: 'SIZE', about: 'unload the least used models above this, like 4GB', setting: 'memory' },
      ...LOCK_OPTIONS,
    ],
    examples: [
      'ingot serve churn@production',
      'INGOT_MODELS=churn:7,churn:8 ingot serve',
      "ingot serve './models/churn_v*.pkl'",
    ],
  },
  {
    name: 'predict',
    about: 'answer one request here, or ask a running server',
    group: 'serve',
    args: [
      { name: 'SOURCE', about: 'churn, churn:7, churn@production, ./models/churn_v*.pkl, …', complete: 'reference' },
    ],
    options: [
      {
        name: 'file',
        short: 'f',
        value: 'FILE',
        about: 'rows as JSON or CSV; - reads stdin',
        required: true,
        complete: 'file',
      },
      { name: 'output', short: 'o', value: 'FILE', about: 'write the answer here', complete: 'file' },
      { name: 'url', value: 'SERVER', about: 'ask this server, like http://127.0.0.1:8080' },
      { name: 'method', value: 'NAME', about: 'another method of the model, like predict_proba' },
    ],
    examples: ['ingot predict churn@production -f rows.json', 'ingot predict churn -f - < rows.csv'],
  },
];
