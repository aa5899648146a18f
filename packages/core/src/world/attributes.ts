import { createHash } from "node:crypto";
import { WorldError } from "../errors/index.ts";
import type { Attributes } from "./run.ts";

/** How a store that knows only strings keeps attributes, and finds runs by them. */

/** All attributes as one string without NUL and without lone surrogates; `null` where there are none. */
export function attributesToText(attributes: Attributes): string | null {
  const names = Object.keys(attributes);
  return names.length === 0 ? null : JSON.stringify(attributes);
}

/**
 * The attributes that {@link attributesToText} was given.
 *
 * @throws {WorldError} with `damaged` for what it has not written
 */
export function attributesFromText(text: string | null | undefined): Attributes {
  if (text === null || text === undefined) return {};
  try {
    return JSON.parse(text) as Attributes;
  } catch {
    // The parser's message would quote them.
    throw new WorldError("The attributes of a run were changed by somebody else; restore a backup.", {
      retryable: false,
      damaged: true,
    });
  }
}

/**
 * One key for each attribute, of name and value together: a digest of 22 characters, so that an index entry is small however
 * long they are.
 */
export function attributeKeys(attributes: Attributes): string[] {
  return Object.entries(attributes).map(([name, value]) =>
    createHash("sha256").update(`${name.length}:${name}${value}`, "utf16le").digest("base64url").slice(0, 22),
  );
}
