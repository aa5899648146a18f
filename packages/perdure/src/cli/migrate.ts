/** `perdure migrate`: finds the World package that a URL belongs to, and lets it migrate its store. */
import { load } from "./place.ts";

export interface MigrateOptions {
  /** Where the database is; its protocol tells the World. */
  readonly url: string;
  readonly schema?: string;
  readonly namespace?: string;
}

// As much of the package as is used here. `perdure` does not depend on it, and its declarations must not either.
interface PostgresPackage {
  migratePostgres(options: MigrateOptions): Promise<{ schema: string; from: number; to: number }>;
}

const POSTGRES = "@perdure/world-postgres";

// Their `open()` always brings the store up to date; there is no `migrate: false`.
const SELF_KEPT: readonly (readonly [title: string, url: RegExp])[] = [
  ["SQLite", /^(file|sqlite):|^[^:]+\.(db|sqlite3?)$/i],
  ["MongoDB", /^mongodb(\+srv)?:/i],
  ["Redis", /^rediss?:/i],
];

/**
 * Migrates, and returns one line that says what was done.
 *
 * @throws {Error} where there is nothing to migrate or it failed; the message is for the user
 */
export async function migrate(options: MigrateOptions): Promise<string> {
  const { url, namespace } = options;
  if (url === "") throw new Error("There is no URL: give --url postgres://…, or set DATABASE_URL.");
  const selfKept = SELF_KEPT.find(([, pattern]) => pattern.test(url));
  if (selfKept !== undefined) {
    throw new Error(
      `The ${selfKept[0]} World keeps its own schema up to date when it opens: nothing to migrate.`,
    );
  }
  if (!/^postgres(ql)?:\/\//i.test(url)) {
    throw new Error(
      "The URL belongs to no World that has migrations: give one like postgres://user@host/database.",
    );
  }
  // What follows the host would be taken for the name of the database, and be printed as such.
  if (/^\w+:\/\/[^/?#]*\/[^?#]*@/.test(url)) throw new Error(UNREADABLE);

  const { migratePostgres } = await load<PostgresPackage>(POSTGRES);
  const { schema, from, to } = await migratePostgres(options).catch((error: unknown) => {
    throw isUnreadableUrl(error) ? new Error(UNREADABLE) : error;
  });
  const store = namespace ? `Schema ${schema}, namespace ${namespace},` : `Schema ${schema}`;
  return from === to
    ? `${store} is at version ${to} already.`
    : `${store} went from version ${from} to ${to}.`;
}

const UNREADABLE =
  "The URL cannot be read. In user name and password, write @ as %40, / as %2F, : as %3A, # as %23, ? as %3F.";

function isUnreadableUrl(error: unknown): boolean {
  return error instanceof TypeError && "code" in error && error.code === "ERR_INVALID_URL";
}
