import type { JSX } from "preact";
import type { Divergence } from "../../protocol.ts";
import { address } from "../navigation.ts";

/** Where the code of a diverged run and its journal part. */

export function Difference(props: { readonly runId: string; readonly divergence: Divergence }): JSX.Element {
  const { runId, divergence } = props;
  const { seq, journal, code, message } = divergence;
  const isKnown = journal !== null && code !== null;
  return (
    <section class="divergence" aria-label="Difference between code and journal">
      <h2>
        {seq === null
          ? "The run cannot be replayed"
          : `The code no longer follows the journal at event ${seq}`}
      </h2>
      {isKnown ? (
        <>
          <table class="difference">
            <tbody>
              <tr class="difference-journal">
                <th scope="row">
                  <span aria-hidden="true">−</span> the journal has
                </th>
                <td>{journal}</td>
              </tr>
              <tr class="difference-code">
                <th scope="row">
                  <span aria-hidden="true">+</span> the code asked for
                </th>
                <td>{code}</td>
              </tr>
            </tbody>
          </table>
          <p>
            Nothing is lost: the run is parked, and goes on when code is deployed that makes the same calls in
            the same order up to here. <a href={address({ run: runId, tab: "journal" })}>See the journal</a>
          </p>
        </>
      ) : (
        <pre class="divergence-message">{message}</pre>
      )}
    </section>
  );
}
