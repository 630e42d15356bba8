// Keeps the page fresh without a reload: asks for the version, and when it moved swaps the changed parts in.
"use strict";
(() => {
  document.documentElement.classList.add("js");
  const busy = () => {
    const at = document.activeElement;
    return at && ["TEXTAREA", "INPUT", "SELECT"].includes(at.tagName);
  };
  const openDetails = (root) => [...root.querySelectorAll("details")].map((d) => d.open);
  let version = document.body.dataset.version;

  const refresh = async () => {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const pen = document.querySelector(".pen textarea");
    const draft = pen ? pen.value : "";
    const open = openDetails(document.getElementById("main"));
    const main = fresh.getElementById("main");
    document.getElementById("main").replaceWith(main);
    main.querySelectorAll("details").forEach((d, i) => { if (i in open) d.open = open[i]; });
    const again = document.querySelector(".pen textarea");
    if (again) again.value = draft;
    version = fresh.body.dataset.version;
  };

  setInterval(async () => {
    if (document.hidden || busy()) return;
    try {
      const told = await (await fetch("/-/version")).json();
      if (String(told.version) !== version) await refresh();
    } catch { /* the host is away; the next round asks again */ }
  }, 1000);

  document.addEventListener("change", (event) => {
    const from = event.target;
    if (from.matches("[data-submit]")) from.form.submit();
    if (from.matches("[data-unlocks]")) {
      const button = document.getElementById(from.dataset.unlocks);
      button.disabled = !from.checked;
      button.classList.toggle("around", from.checked);
    }
  });
})();
