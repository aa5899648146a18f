/**
 * Messages that come with new runs. Of all sendings of one message over one name, one is in a mailbox: so a start writes down
 * where it goes, like any sender (see `names.ts`), once it has reserved the name.
 */
import type { CreateRun } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import { CONFIRM, HAS_MAIL } from "./lua/mailbox.ts";
import { type Claim, firstClaim } from "./name-entry.ts";
import type { Answer } from "./names.ts";
import { divide } from "./partitions.ts";
import { reading, writing } from "./script.ts";
import { address } from "./sending.ts";
import { toStored } from "./text.ts";

const hasMail = reading("look for mail", HAS_MAIL);
const confirm = writing("confirm address", CONFIRM);

/** A start that has reserved its names. */
export interface Sender {
  readonly request: CreateRun;
  readonly answers: readonly Answer[];
}

/** A message that another run has. */
export interface Elsewhere {
  readonly messageId: string;
  readonly runId: string;
}

/** A message of a start, on its way. */
interface Letter {
  readonly sender: Sender;
  readonly messageId: string;
  readonly name: string;
  readonly mark: string;
  /** A claim whose run has not got the message and never will. */
  readonly refused: Buffer | null;
}

export interface FirstMails {
  /** For each start its first message that another run has; `null` where all may go to the new run. */
  addressAll(senders: readonly Sender[]): Promise<readonly (Elsewhere | null)[]>;
  /** Keeps the addresses of the messages of runs that exist. */
  confirmAll(requests: readonly CreateRun[]): Promise<void>;
}

export function firstMails(connection: Connection): FirstMails {
  const { partitions } = connection;

  return {
    async addressAll(senders) {
      const elsewhere = new Map<Letter["sender"], Map<string, string>>();
      let open: readonly Letter[] = senders.flatMap((sender) => lettersOf(sender));
      while (open.length > 0) {
        const claims = await address(connection, open);
        const others = open.flatMap((letter, index): { letter: Letter; bytes: Buffer; claim: Claim }[] => {
          const bytes = claims[index];
          if (bytes === null || bytes === undefined) return [];
          const { claim } = firstClaim(bytes);
          return claim.mark === letter.mark ? [] : [{ letter, bytes, claim }];
        });
        const answers = await connection.runShares(
          hasMail,
          divide(others, ({ claim }) => partitions.of(toStored(claim.runId))),
          ({ items }) =>
            items.flatMap(({ letter, claim }) => [toStored(claim.runId), toStored(letter.messageId)]),
        );
        open = others.flatMap(({ letter, bytes, claim }, index): Letter[] => {
          if (answers[index] !== 1) return [{ ...letter, refused: bytes }];
          const known = elsewhere.get(letter.sender) ?? new Map<string, string>();
          elsewhere.set(letter.sender, known.set(letter.messageId, claim.runId));
          return [];
        });
      }
      return senders.map((sender) => {
        const known = elsewhere.get(sender);
        const first = sender.request.mail.find(({ messageId }) => known?.has(messageId));
        return first === undefined
          ? null
          : { messageId: first.messageId, runId: known?.get(first.messageId) ?? "" };
      });
    },

    async confirmAll(requests) {
      const letters = requests.flatMap((request) =>
        request.mail.map(({ messageId, id }) => ({ messageId, name: nameUnder(request, id) ?? "" })),
      );
      await connection.runShares(
        confirm,
        divide(letters, ({ name }) => partitions.of(toStored(name))),
        ({ items }) => items.map(({ messageId }) => toStored(messageId)),
      );
    },
  };
}

function lettersOf(sender: Sender): Letter[] {
  const marks = new Map(sender.answers.map(({ name, mark }) => [name, mark]));
  return sender.request.mail.map(({ messageId, id }) => {
    const name = nameUnder(sender.request, id) ?? "";
    return { sender, messageId, name, mark: marks.get(name) ?? "", refused: null };
  });
}

/** The name that the run claims under an id. */
export function nameUnder({ names }: CreateRun, id: string): string | undefined {
  return names.find((claim) => claim.id === id)?.name;
}
