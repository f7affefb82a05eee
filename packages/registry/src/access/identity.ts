/**
 * Who asks (*identity*), what they may do (*permission*), and where (*target*). A *role* is a set of permissions; a
 * *grant* gives a role for the server, a namespace, a model, or only some aliases of these.
 */

import type { ModelName } from '@ingot/core/ref';

/** What a request may need. Roles: reader has `read`; pusher adds `push`; promoter adds `promote`; admin has all. */
export type Permission = 'read' | 'push' | 'promote' | 'admin';

/** What a request acts on. */
export type Target =
  | { readonly kind: 'server' }
  | { readonly kind: 'model'; readonly model: ModelName; readonly alias?: string };

/** Who asks. */
export interface Identity {
  /** `user`: signed in with a password or OIDC; `token`: a service token; `open`: the server has no accounts and listens on loopback. */
  readonly kind: 'user' | 'token' | 'open' | 'nobody';
  /** As the history shows it: `ana`, `token:ci`. */
  readonly name: string;
  /** Whether somebody has proved to be that; what an `open` server says is only claimed. */
  readonly authenticated: boolean;
}

/** Decides what an identity may do. */
export interface Authorizer {
  /** Whether it may; asked before rows are shown, so that names nobody granted do not leak. Never throws. */
  may(identity: Identity, permission: Permission, target: Target): boolean;
  /**
   * Refuses what it may not.
   * @throws IngotError `unauthenticated` (nobody), `model-not-found` (may not even read it), `forbidden`.
   */
  check(identity: Identity, permission: Permission, target: Target): void;
}
