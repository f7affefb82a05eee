import { parseModelName } from '@ingot/core/ref';
import { describe, expect, it } from 'vitest';
import { allows, type Grant, parseGrant, ROLES, rightsOf } from './grants.ts';
import type { Permission } from './identity.ts';

const PERMISSIONS: readonly Permission[] = ['read', 'push', 'promote', 'admin'];
const model = (name: string, alias?: string) => ({
  kind: 'model' as const,
  model: parseModelName(name),
  ...(alias === undefined ? {} : { alias }),
});
const may = (grants: readonly Grant[], name: string, alias?: string): string =>
  PERMISSIONS.filter((permission) => allows(rightsOf(grants), permission, model(name, alias))).join(' ');

describe('grants', () => {
  it('give each role all that those before it have', () => {
    const of = ROLES.map((role) => may([{ role, scope: '*' }], 'churn'));
    expect(of).toEqual(['read', 'read push', 'read push promote', 'read push promote admin']);
  });

  it('of a namespace count for its models only, and never for the server', () => {
    const grants: Grant[] = [{ role: 'admin', scope: 'team/' }];
    expect(may(grants, 'team/churn')).toBe('read push promote admin');
    expect(['teams/churn', 'team', 'other/churn', 'churn'].map((name) => may(grants, name))).toEqual(['', '', '', '']);
    expect(allows(rightsOf(grants), 'read', { kind: 'server' })).toBe(false);
  });

  it('of a model count for that name only', () => {
    const grants: Grant[] = [{ role: 'pusher', scope: 'churn' }];
    expect(['churn', 'churn2', 'team/churn'].map((name) => may(grants, name))).toEqual(['read push', '', '']);
  });

  it('limited to aliases let those be moved, and nothing be pushed', () => {
    const grants: Grant[] = [{ role: 'promoter', scope: 'team/', aliases: ['staging'] }];
    expect(may(grants, 'team/churn', 'staging')).toBe('read promote');
    expect(may(grants, 'team/churn', 'production')).toBe('read');
    expect(may(grants, 'team/churn')).toBe('read');
    expect(may(grants, 'churn', 'staging')).toBe('');
  });

  it('that cannot be are refused', () => {
    for (const grant of [
      { role: 'reader', scope: 'churn', aliases: ['a'] },
      { role: 'promoter', scope: 'churn', aliases: [] },
      { role: 'reader', scope: '../x' },
      { role: 'reader', scope: 'a/b/' },
      { role: 'promoter', scope: '*', aliases: ['latest'] },
    ] as const)
      expect(() => parseGrant(grant), JSON.stringify(grant)).toThrow();
  });
});
