/** The database's side of `deliver`: lock the addressed runs, look again, number the new messages. */
import type { Message } from "@perdure/core/world";
import type { Place } from "../packing.ts";
import { column, type Parameters, rowsOf, signatureOf, value } from "../parameters.ts";
import type { Tables } from "../tables.ts";
import { toStored } from "../text.ts";
import { ENDED, FUNCTION_SETTINGS, LIMIT_WAITS, REFUSE_LATE, storeNow } from "./clauses.ts";
import { isHeld } from "./names.ts";

/** A batch of messages as it is sent; no message id twice. */
export interface DeliverCall {
  /** The caller's time, where leases are judged by it. */
  readonly now: number | null;
  readonly messages: readonly SentMessage[];
  readonly bytes: Uint8Array;
}

export interface SentMessage {
  readonly message: Message;
  readonly data: Place;
}

const messages = (call: DeliverCall) => call.messages;

/** The parameters of `deliver_1`. A message has a run id, and perhaps an id in the run, or a name. */
export const DELIVER: Parameters<DeliverCall> = {
  p_now: value("bigint", ({ now }) => now),
  p_message_ids: column("text", messages, ({ message }) => toStored(message.messageId)),
  p_run_ids: column("text", messages, ({ message: { to } }) => ("runId" in to ? toStored(to.runId) : null)),
  p_ids: column("text", messages, ({ message: { to } }) =>
    "runId" in to && to.id !== undefined ? toStored(to.id) : null,
  ),
  p_names: column("text", messages, ({ message: { to } }) => ("name" in to ? toStored(to.name) : null)),
  p_types: column("text", messages, ({ message }) => toStored(message.type)),
  p_ats: column("bigint", messages, ({ message }) => message.at),
  p_at_end: column("boolean", messages, ({ message }) => message.atEnd === true),
  p_offsets: column("int", messages, ({ data }) => data.start),
  p_lengths: column("int", messages, ({ data }) => data.length),
  p_bytes: value("bytea", ({ bytes }) => bytes),
};

/** `deliver_1`. */
export function deliverFunction({ functions, runs, mail, names }: Tables): string {
  return `
CREATE FUNCTION ${functions.deliver}(${signatureOf(DELIVER)})
RETURNS TABLE (place int, outcome text, run_id text, id text, fresh boolean, wakes boolean)
LANGUAGE plpgsql ${FUNCTION_SETTINGS} AS $$
#variable_conflict use_column
DECLARE
  v_now bigint := ${storeNow("p_now")};
  v_size int := cardinality(p_message_ids);
  v_locked bigint[] := '{}';
  -- By message: the run to whose mailbox it is added; 0 where there is nothing to add.
  v_targets bigint[] := array_fill(0::bigint, ARRAY[v_size]);
  v_ids text[] := array_fill(NULL::text, ARRAY[v_size]);
  v_row record;
BEGIN${LIMIT_WAITS}
  FOR v_row IN
    SELECT r.id FROM ${runs} r
    WHERE r.id IN (
      SELECT a.id FROM unnest(p_run_ids) AS c(run_id) JOIN ${runs} a ON a.run_id = c.run_id
      UNION SELECT n.run FROM unnest(p_names) AS c(name) JOIN ${names} n ON n.name = c.name AND ${isHeld("v_now")}
    )
    ORDER BY r.run_id
    FOR NO KEY UPDATE OF r
  LOOP
    v_locked := v_locked || v_row.id;
  END LOOP;

  -- What is read from here on cannot change: names and mailbox of a run that goes on are written under the lock of its row.
  FOR v_row IN
    SELECT c.place, c.name IS NOT NULL AS by_name, c.at_end, sent.run_id AS sent_run_id, m.id AS sent_id,
      coalesce(n.id, c.id) AS part, coalesce(a.id, b.id) AS id, coalesce(a.run_id, b.run_id) AS run_id,
      coalesce(a.status, b.status) ${ENDED} AS has_ended, coalesce(a.owner, b.owner) IS NULL AS wakes
    FROM ${rowsOf("c", {
      ...{
        message_id: "p_message_ids",
        run_id: "p_run_ids",
        id: "p_ids",
        name: "p_names",
        at_end: "p_at_end",
      },
    })}
    LEFT JOIN ${mail} m ON m.message_id = c.message_id
    LEFT JOIN ${runs} sent ON sent.id = m.run
    LEFT JOIN ${names} n ON n.name = c.name AND ${isHeld("v_now")}
    LEFT JOIN ${runs} a ON a.run_id = c.run_id
    LEFT JOIN ${runs} b ON b.id = n.run
    ORDER BY c.place
  LOOP
    place := v_row.place;
    run_id := v_row.run_id;
    id := v_row.part;
    fresh := false;
    wakes := false;
    IF v_row.sent_run_id IS NOT NULL THEN
      outcome := 'delivered';
      run_id := v_row.sent_run_id;
      id := v_row.sent_id;
    ELSIF v_row.id IS NULL THEN
      outcome := CASE WHEN v_row.by_name THEN 'no_such_name' ELSE 'no_such_run' END;
    ELSIF v_row.id <> ALL (v_locked) THEN
      RAISE EXCEPTION 'a name changed hands under this delivery' USING ERRCODE = 'serialization_failure';
    ELSIF v_row.has_ended THEN
      outcome := 'finished';
    ELSE
      outcome := 'delivered';
      fresh := true;
      wakes := v_row.wakes AND NOT v_row.at_end;
      v_targets[v_row.place] := v_row.id;
      v_ids[v_row.place] := v_row.part;
    END IF;
    RETURN NEXT;
  END LOOP;

  INSERT INTO ${mail} (run, at_end, mail_seq, message_id, type, id, at, data)
  SELECT c.run, c.at_end, CASE WHEN c.at_end THEN r.end_seq ELSE r.mail_seq END
      + row_number() OVER (PARTITION BY c.run, c.at_end ORDER BY c.place),
    c.message_id, c.type, c.id, c.at, CASE WHEN c.length >= 0 THEN substr(p_bytes, c.start, c.length) END
  FROM ${rowsOf("c", {
    ...{
      run: "v_targets",
      message_id: "p_message_ids",
      type: "p_types",
      id: "v_ids",
      at: "p_ats",
      at_end: "p_at_end",
    },
    ...{ start: "p_offsets", length: "p_lengths" },
  })}
  JOIN ${runs} r ON r.id = c.run
  WHERE c.run <> 0
  -- Whoever else sends the same messages, with a start, inserts them in this order too.
  ORDER BY c.message_id COLLATE "C";

  -- A run that was due already keeps its place in the queue.
  UPDATE ${runs} r SET
    mail_seq = r.mail_seq + c.count,
    end_seq = r.end_seq + c.end_count,
    due_at = CASE WHEN r.owner IS NULL AND c.count > 0 THEN least(r.due_at, v_now) ELSE r.due_at END
  FROM (
    SELECT t.run, (count(*) FILTER (WHERE NOT t.at_end))::int AS count, (count(*) FILTER (WHERE t.at_end))::int AS end_count
    FROM unnest(v_targets, p_at_end) AS t(run, at_end) WHERE t.run <> 0 GROUP BY t.run
  ) c
  WHERE r.id = c.run;${REFUSE_LATE}
END $$;`;
}
