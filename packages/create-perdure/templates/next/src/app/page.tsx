import { listRuns } from "perdure/api";

export const dynamic = "force-dynamic";

export default async function Page() {
  const { runs } = await listRuns({ limit: 20, order: "desc" });
  return (
    <main>
      <h1>Charges</h1>
      <ul>
        {runs.map(({ runId, status }) => (
          <li key={runId}>
            {runId}: {status}
          </li>
        ))}
      </ul>
    </main>
  );
}
