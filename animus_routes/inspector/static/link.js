// The one connection to the server: what it tells, and what it is asked for.

/** Ask the server to do something; throws an Error with its reason. */
export async function ask(what, body = {}) {
  const response = await fetch(what, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const said = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(said.problem ?? `the server answered with ${response.status}`);
  return said;
}

/** A frame as it was sent or came, at most so many bytes of it, and the size of the whole. */
export async function frameText(number, most) {
  const response = await fetch(`frames/${number}${most ? `?most=${most}` : ""}`);
  if (!response.ok) throw new Error((await response.text()).trim());
  return { text: await response.text(), size: Number(response.headers.get("x-frame-bytes")) };
}

export const saveAddress = (number) => `frames/${number}?save`;

/** Listen as long as the page is open. */
export function listen({ snapshot, event, lost }) {
  const source = new EventSource("events");
  source.addEventListener("snapshot", (message) => snapshot(JSON.parse(message.data)));
  source.addEventListener("events", (message) => JSON.parse(message.data).forEach(event));
  source.addEventListener("error", lost);
}
