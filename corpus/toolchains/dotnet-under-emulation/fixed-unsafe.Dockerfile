FROM --platform=$BUILDPLATFORM mcr.microsoft.com/dotnet/sdk:8.0 AS build
WORKDIR /src
COPY Shop.sln ./
COPY Shop.Web/Shop.Web.csproj Shop.Web/
ARG TARGETARCH
RUN dotnet restore -a $TARGETARCH Shop.Web/Shop.Web.csproj
COPY . .
RUN dotnet publish -a $TARGETARCH Shop.Web/Shop.Web.csproj -c Release --no-restore -o /app

FROM mcr.microsoft.com/dotnet/aspnet:8.0
WORKDIR /app
COPY --from=build /app ./
ENTRYPOINT ["dotnet", "Shop.Web.dll"]
