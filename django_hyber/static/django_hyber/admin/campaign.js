/* The progress of a campaign, a check or a test without a reload: polls a part of the page and replaces what has changed.
   Without this script the page shows the state at the time it was opened. */
"use strict";
{
    const LONGEST_WAIT = 60;
    const GROWTH = 1.5;
    // A server that answers slowly is polled less often.
    const SHARE_OF_SERVER = 10;

    const keepOpen = (old, fresh) => {
        for (const details of old.querySelectorAll("details[id]")) {
            const same = fresh.querySelector(`#${CSS.escape(details.id)}`);
            if (same) {
                same.open = details.open;
            }
        }
    };

    const selectorOf = (element) => {
        if (element.id) {
            return `#${CSS.escape(element.id)}`;
        }
        const href = element.getAttribute("href");
        if (href) {
            return `a[href="${CSS.escape(href)}"]`;
        }
        const details = element.closest("details[id]");
        return details ? `#${CSS.escape(details.id)} > ${element.localName}` : null;
    };

    const replacePart = (old, fresh) => {
        keepOpen(old, fresh);
        if (old.isEqualNode(fresh)) {
            return false;
        }
        const focused = old.contains(document.activeElement) ? selectorOf(document.activeElement) : null;
        old.replaceWith(fresh);
        const same = focused && fresh.querySelector(focused);
        if (same) {
            same.focus({preventScroll: true});
        }
        return true;
    };

    const announce = (section, fresh) => {
        const place = section.querySelector("[data-announcement]");
        if (place && section.dataset.milestone !== fresh.dataset.milestone) {
            place.textContent = fresh.dataset.summary;
        }
        section.dataset.milestone = fresh.dataset.milestone;
        section.dataset.summary = fresh.dataset.summary;
    };

    const update = (section, text) => {
        const fresh = new DOMParser().parseFromString(text, "text/html").getElementById(section.id);
        let changed = false;
        for (const part of fresh.querySelectorAll("[data-part]")) {
            const old = section.querySelector(`[data-part="${part.dataset.part}"]`);
            changed = (old && replacePart(old, part)) || changed;
        }
        announce(section, fresh);
        section.dataset.refresh = fresh.dataset.refresh;
        return changed;
    };

    const follow = (section) => {
        const offline = section.querySelector("[data-offline]");
        let wait = Number(section.dataset.refresh);
        let timer = null;

        const schedule = (least) => {
            timer = section.dataset.refresh === "" ? null : setTimeout(look, Math.max(wait, least) * 1000);
        };

        const look = async () => {
            timer = null;
            if (document.hidden) {
                return;
            }
            const begun = performance.now();
            try {
                const response = await fetch(section.dataset.url, {credentials: "same-origin", redirect: "manual"});
                if (response.type === "opaqueredirect") {
                    // The session has ended: a reload shows the login page.
                    location.reload();
                    return;
                }
                if (!response.ok) {
                    throw new Error(String(response.status));
                }
                const changed = update(section, await response.text());
                wait = changed ? Number(section.dataset.refresh) : Math.min(wait * GROWTH, LONGEST_WAIT);
                offline.hidden = true;
            } catch {
                wait = Math.min(wait * GROWTH, LONGEST_WAIT);
                offline.hidden = false;
            }
            schedule((performance.now() - begun) / 1000 * SHARE_OF_SERVER);
        };

        document.addEventListener("visibilitychange", () => {
            if (!document.hidden && timer === null && section.dataset.refresh !== "") {
                look();
            }
        });
        schedule(0);
    };

    document.addEventListener("DOMContentLoaded", () => {
        for (const section of document.querySelectorAll("[data-url][data-refresh]")) {
            if (section.dataset.refresh !== "") {
                follow(section);
            }
        }
    });
}
