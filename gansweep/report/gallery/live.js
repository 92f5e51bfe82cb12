// A page of `gansweep serve` asks its server for news, and shows them where the reader is.

const POLL = 2000;  // milliseconds

function startLive() {
  if (!("live" in page)) return;
  byId("live").hidden = false;
  sayLive();
  setTimeout(poll, POLL);
}

async function poll() {
  try {
    if (!document.hidden) {
      const answer = await fetch(`/data?since=${page.live}`);
      if (answer.status === 200) showNews(await answer.json());
      if (answer.ok) sayLive();
      else byId("live").textContent = `Not live: ${await answer.text()}`;
    }
  } catch {
    byId("live").textContent = "The server has ended; the page shows what it knew last.";
  }
  setTimeout(poll, POLL);
}

function showNews(next) {
  takeData(next);
  showData();
  buildStatuses();
  readFilter();
  update();
  if (byId("viewer").open && runs.has(viewer.id)) refreshRun();
}

function sayLive() {
  const all = [...runs.values()];
  const count = (...kinds) => all.filter(({ status }) => kinds.includes(status)).length;
  const failed = count("failed", "diverged");
  byId("live").textContent = `Live: ${count("done")} of ${all.length} runs done, `
    + `${count("running")} running${failed ? `, ${failed} failed` : ""}; `
    + `${new Date().toLocaleTimeString()}`;
}
