/** The names of one namespace's tables. */
export interface Tables {
  readonly schema: string;
  readonly runs: string;
  readonly events: string;
  readonly mail: string;
  readonly names: string;
  readonly outbox: string;
  readonly attributes: string;
  readonly records: string;
  readonly clock: string;
  readonly streams: string;
  readonly writers: string;
  readonly chunks: string;
}

/** A namespace is a prefix of table names: it costs nothing in keys, indexes and statements. */
export function tablesOf(namespace: string): Tables {
  const prefix = namespace === "" ? "perdure" : `perdure_${namespace}`;
  return {
    schema: `${prefix}_schema`,
    runs: `${prefix}_runs`,
    events: `${prefix}_events`,
    mail: `${prefix}_mail`,
    names: `${prefix}_names`,
    outbox: `${prefix}_outbox`,
    attributes: `${prefix}_attributes`,
    records: `${prefix}_records`,
    clock: `${prefix}_clock`,
    streams: `${prefix}_streams`,
    writers: `${prefix}_writers`,
    chunks: `${prefix}_chunks`,
  };
}
