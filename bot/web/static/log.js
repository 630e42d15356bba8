// Follows a run's log: asks for what is new once a second until the run is over. Text is only ever text.
"use strict";
const log = document.getElementById("log");
const state = document.getElementById("state");
let last = -1;
async function follow() {
  try {
    const answer = await fetch(`/api/runs/${encodeURIComponent(log.dataset.run)}/log?after=${last}`);
    // An error that is told in JSON (a log that was damaged) is shown like the log itself.
    if (!answer.ok && !(answer.headers.get("content-type") || "").includes("json")) throw new Error(String(answer.status));
    const piece = await answer.json();
    const atEnd = window.innerHeight + window.scrollY >= document.body.scrollHeight - 40;
    if (piece.text) log.append(piece.text);
    last = piece.last;
    state.textContent = piece.state;
    state.className = `state ${piece.state}`;
    if (atEnd && piece.text && !piece.finished) window.scrollTo(0, document.body.scrollHeight);
    if (piece.finished) return;
  } catch (error) {
    state.title = `the log cannot be read (${error.message}); trying again`;
  }
  setTimeout(follow, 1000);
}
follow();
