/**
 * How values come out of the database's text. A program may set other parsers for all of its pools (`pg.types`), so a
 * query of ours brings its own along; through a Kysely instance it cannot, and there one read of known values tells whether
 * they arrive as this World reads them.
 */
import { WorldError } from "@perdure/core/errors";
import type { CustomTypesConfig } from "pg";

const [BOOL, BYTEA, INT8, INT2, INT4] = [16, 17, 20, 21, 23];

/** The parsers of this World's own queries. */
export const PARSERS: CustomTypesConfig = {
  getTypeParser: (type, format) => {
    // A client may be set to ask for binary values, which the driver cannot read: that is found out and refused.
    if (format === "binary") return (value: unknown) => value;
    switch (type as number) {
      case BOOL:
        return (text: string) => text === "t";
      case INT2:
      case INT4:
      case INT8:
        return Number;
      case BYTEA:
        return bytesOf;
      default:
        return (text: string) => text;
    }
  },
};

/** What {@link requireKnownValues} is given the answer to. Its parameter is 7: without one it would be sent in another way. */
export const KNOWN_VALUES: string = `
  SELECT $1::int4 AS int4, 7::int8 AS int8, decode('00ff41', 'hex') AS bytea, true AS bool, 'a'::text AS text,
    NULL::text AS nothing, current_setting('array_nulls') AS array_nulls`;

/**
 * @param row the answer to {@link KNOWN_VALUES}
 * @throws {WorldError} where a setting of the client or of the database changes what is read or written
 */
export function requireKnownValues(row: unknown, location: string): void {
  const { int4, int8, bytea, bool, text, nothing, array_nulls } = (row ?? {}) as Record<string, unknown>;
  const refuse = (what: string): never => {
    throw new WorldError(`The Postgres World ${location} cannot work with this: ${what}`, {
      retryable: false,
    });
  };
  const parsers: readonly (readonly [string, number, boolean])[] = [
    ["int4", INT4, int4 === 7],
    ["int8", INT8, int8 === "7" || int8 === 7 || int8 === 7n],
    ["bytea", BYTEA, bytea instanceof Uint8Array && Buffer.from(bytea).toString("hex") === "00ff41"],
    ["bool", BOOL, bool === true],
    ["text", 25, text === "a" && nothing === null],
  ];
  for (const [name, type, fits] of parsers) {
    if (fits) continue;
    refuse(
      `values of type ${name} do not arrive as they are. Remove the parser that was set for them ` +
        `(setTypeParser(${type}, …), or \`types\` of the pool), the pool's option \`binary\`, or the plugin of the ` +
        "Kysely instance, or give this World a `url` of its own.",
    );
  }
  if (array_nulls !== "on") {
    refuse(
      "array_nulls is off, so NULL in an array would become a text. Set it to on for this user or database.",
    );
  }
}

function bytesOf(text: string): Buffer {
  if (text.startsWith("\\x")) return Buffer.from(text.slice(2), "hex");
  // With `bytea_output = escape`.
  const octets = text.replace(/\\(?:\\|([0-7]{3}))/g, (_, octal: string | undefined) =>
    octal === undefined ? "\\" : String.fromCharCode(Number.parseInt(octal, 8)),
  );
  return Buffer.from(octets, "latin1");
}
