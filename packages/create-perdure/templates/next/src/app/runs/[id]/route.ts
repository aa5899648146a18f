import { getRun } from "perdure/api";

export async function GET(_request: Request, { params }: { params: Promise<{ id: string }> }) {
  const run = getRun((await params).id);
  if (!(await run.exists)) return Response.json({ error: "no such run" }, { status: 404 });
  const status = await run.status;
  return Response.json({ status, result: status === "completed" ? await run.returnValue : null });
}
