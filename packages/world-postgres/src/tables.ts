/** What the tables and functions of one namespace are called. */

/** The names of one namespace's tables and functions, qualified and quoted for SQL. */
export interface Tables {
  readonly versions: string;
  readonly runs: string;
  readonly events: string;
  readonly mail: string;
  readonly names: string;
  readonly attributes: string;
  readonly records: string;
  readonly outbox: string;
  readonly streams: string;
  readonly streamWriters: string;
  readonly streamChunks: string;
  /** The sequence of `runs.id`. */
  readonly runIds: string;
  /** A constant expression that tells this namespace's advisory locks from others'. */
  readonly locks: string;
  readonly functions: {
    readonly createRuns: string;
    readonly claim: string;
    readonly renew: string;
    readonly commit: string;
    readonly commitRun: string;
    readonly deliver: string;
    readonly deleteRuns: string;
    readonly writeRecords: string;
    readonly appendChunks: string;
    readonly readChunks: string;
    readonly closeStream: string;
    /** Called by users, under this name. */
    readonly start: string;
  };
  /** Of which the name of the channel for notifications is a digest. */
  readonly channelSource: string;
  /** The start of index names, and the schema, unquoted. */
  readonly prefix: string;
  readonly schema: string;
}

/** A namespace is a prefix of names within a schema: it costs nothing in keys, indexes and statements. */
export function tablesOf(schema: string, namespace: string): Tables {
  const prefix = namespace === "" ? "" : `${namespace}_`;
  const name = (of: string): string => `"${schema}"."${prefix}${of}"`;
  return {
    versions: name("versions"),
    runs: name("runs"),
    events: name("events"),
    mail: name("mail"),
    names: name("names"),
    attributes: name("attributes"),
    records: name("records"),
    outbox: name("outbox"),
    streams: name("streams"),
    streamWriters: name("stream_writers"),
    streamChunks: name("stream_chunks"),
    runIds: name("run_ids"),
    locks: `hashtext('perdure ${schema}.${namespace}')`,
    // The number is the version of the function: a process of an older package goes on with the one that it knows.
    functions: {
      createRuns: name("create_runs_1"),
      claim: name("claim_1"),
      renew: name("renew_1"),
      commit: name("commit_1"),
      commitRun: name("commit_run_1"),
      deliver: name("deliver_1"),
      deleteRuns: name("delete_runs_1"),
      writeRecords: name("write_records_1"),
      appendChunks: name("append_chunks_1"),
      readChunks: name("read_chunks_1"),
      closeStream: name("close_stream_1"),
      start: name("start"),
    },
    channelSource: `${schema}.${namespace}`,
    prefix,
    schema,
  };
}
