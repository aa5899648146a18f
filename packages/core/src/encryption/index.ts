import { processWide } from "../process-wide.ts";
import type { World } from "../world/index.ts";
import { asEncrypted, EncryptedWorld } from "./encrypted-world.ts";
import { type EncryptionOptions, encryptionTerms } from "./options.ts";

/** Encryption of what a store keeps: a World in front of the World. See docs/encryption.md for what it covers. */

export type { EncryptionKey, EncryptionOptions, KeyFunction } from "./options.ts";

const known: WeakMap<World, EncryptedWorld[]> = processWide("encrypted", () => new WeakMap());

/**
 * The World with its values encrypted. The same one for the same World and keys, so that the parts of a process that were each
 * given the keys know each other.
 *
 * @throws {TypeError} for options that cannot be meant
 */
export function encrypted(world: World, options: EncryptionOptions): World {
  const plain = plainWorld(world);
  const terms = encryptionTerms(options);
  const made = known.get(plain) ?? [];
  known.set(plain, made);
  const found = made.find((one) => one.isOf(terms));
  if (found !== undefined) return found;
  const created = new EncryptedWorld(plain, terms);
  made.push(created);
  return created;
}

/** The World with the store, of one that encrypts what it is given. */
export function plainWorld(world: World): World {
  return asEncrypted(world)?.plain ?? world;
}
