# SPDX-License-Identifier: GPL-2.0-or-later
# Packages, into build/. Release builds, whatever FLAVOUR is.

deb: ## build build/kiln_VERSION_ARCH.deb for this release of Debian
	tools/install-deps --build
	+$(MAKE) --no-print-directory FLAVOUR=release build/release/kiln
	tools/deb/build build/release/kiln

image: ## build an OCI image with kiln and its libraries (buildah, as root)
	tools/install-deps --build
	+$(MAKE) --no-print-directory FLAVOUR=release build/release/kiln
	tools/image build/release/kiln

tarball: ## build a tarball for other distributions, in a root of Debian 11 (as root)
	tools/install-deps --build
	+$(MAKE) --no-print-directory FLAVOUR=release build/release/kiln
	tools/tarball

.PHONY: deb image tarball
