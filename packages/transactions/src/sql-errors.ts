/** What errors of SQL databases say, however a library has wrapped them. */

/** Serialization failure and deadlock of Postgres; deadlock and lock wait timeout of MySQL; SQLite's busy ones. */
const PASSING =
  /^(40001|40P01|1213|1205|ER_LOCK_DEADLOCK|ER_LOCK_WAIT_TIMEOUT|SQLITE_BUSY\w*|SQLITE_LOCKED\w*|P2034)$/;

/** No such table: of Postgres, of MySQL. */
const MISSING = /^(42P01|1146|ER_NO_SUCH_TABLE)$/;

/** SQLite's codes as numbers; the lower byte is the code, the others say more. */
const BUSY = 5;
const LOCKED = 6;

export function isPassing(error: unknown): boolean {
  return chain(error).some(
    (each) =>
      codes(each).some((code) => PASSING.test(code)) ||
      [BUSY, LOCKED].includes(Number(each.errcode) & 0xff) ||
      /database is locked|write conflict or a deadlock/i.test(String(each.message)),
  );
}

export function isMissingTable(error: unknown, table: string): boolean {
  const name = table.replaceAll(/["`]/g, "").split(".").at(-1) ?? table;
  return chain(error).some((each) => {
    const message = String(each.message);
    if (!message.includes(name)) return false;
    return (
      codes(each).some((code) => MISSING.test(code)) ||
      /no such table|does not exist|doesn't exist/i.test(message)
    );
  });
}

type ErrorLike = Readonly<Record<string, unknown>>;

/** An error, and those that it wraps. */
function chain(error: unknown): readonly ErrorLike[] {
  const all = new Set<ErrorLike>();
  const add = (each: unknown): void => {
    if (typeof each !== "object" || each === null || all.has(each as ErrorLike) || all.size > 20) return;
    all.add(each as ErrorLike);
    const { cause, driverError, original, originalError, meta, driverAdapterError } = each as ErrorLike;
    for (const inner of [cause, driverError, original, originalError, meta, driverAdapterError]) add(inner);
  };
  add(error);
  return [...all];
}

function codes({ code, errno, sqlState, originalCode, rawCode }: ErrorLike): readonly string[] {
  return [code, errno, sqlState, originalCode, rawCode].filter((each) => each !== undefined).map(String);
}
